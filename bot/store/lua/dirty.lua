-- needs: epoch
-- Returns ids of rollouts whose card is behind, the most urgent first, each followed by its mark; none if data is
-- missing.
--
-- KEYS[1] prefix
-- ARGV    place of the last one wanted (from 0), epoch and writes that the caller has seen
local p, most = KEYS[1], ARGV[1]
if not is_whole(p, ARGV[2], ARGV[3]) then return {} end
local found = {}
for _, id in ipairs(redis.call('ZRANGE', p .. 'dirty', 0, most)) do
  local mark = redis.pcall('HGET', p .. 'r:' .. id, 'mark')
  found[#found + 1] = id
  found[#found + 1] = type(mark) == 'string' and mark or '0'
end
return found
