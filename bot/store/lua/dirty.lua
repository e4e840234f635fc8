-- needs: epoch
-- Returns ids of rollouts whose card is behind, the most urgent first; none if data is missing.
--
-- KEYS[1] prefix
-- ARGV    place of the last one wanted (from 0), epoch and writes that the caller has seen
local p, most = KEYS[1], ARGV[1]
if not is_whole(p, ARGV[2], ARGV[3]) then return {} end
return redis.call('ZRANGE', p .. 'dirty', 0, most)
