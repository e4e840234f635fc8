-- needs: epoch
-- Claims what is due: pushes it ahead, so that it comes again if nobody saves a new time. Returns ids; none if
-- data is missing.
--
-- KEYS[1] prefix
-- ARGV    now and ahead (seconds since 1970), how many at most, epoch and writes that the caller has seen
local p, now, ahead, most = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
if not is_whole(p, ARGV[4], ARGV[5]) then return {} end
local claimed = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', p .. 'operations:due', '-inf', now, 'LIMIT', 0, most)) do
  if redis.call('HEXISTS', p .. 'r:' .. id, 'operation') == 1 then
    redis.call('ZADD', p .. 'operations:due', ahead, id)
    claimed[#claimed + 1] = id
  else
    redis.call('ZREM', p .. 'operations:due', id)
    redis.call('ZREM', p .. 'operations', id)
  end
end
return claimed
