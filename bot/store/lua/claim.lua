-- needs: epoch
-- Claims what is due: pushes it ahead, so that it comes again if the step saves no new time. Returns ids and due
-- times in turn, and the epoch and the count of writes; nothing if data is missing.
--
-- KEYS[1] prefix
-- ARGV    now and ahead (seconds since 1970), how many at most, epoch and writes that the caller has seen
local p, now, ahead, most = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
if not is_whole(p, ARGV[4], ARGV[5]) then return {{}} end
local ids = redis.call('ZRANGEBYSCORE', p .. 'due', '-inf', now, 'WITHSCORES', 'LIMIT', 0, most)
for i = 1, #ids, 2 do redis.call('ZADD', p .. 'due', 'XX', ahead, ids[i]) end
return {ids, unpack(counted(p))}
