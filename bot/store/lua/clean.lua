-- Takes a card off the list of outdated cards; 0 if it was marked again since it was read.
--
-- KEYS[1] prefix
-- ARGV    rollout id, the mark under which it was read
local p, id, seen = KEYS[1], ARGV[1], ARGV[2]
if (redis.call('HGET', p .. 'r:' .. id, 'mark') or '0') ~= seen then return 0 end
redis.call('ZREM', p .. 'dirty', id)
return 1
