-- Puts a request into the inbox; 0 if this delivery was seen before, 1 if this very call was. Slack may deliver a
-- command again up to a day later, so that it was seen is kept a bit longer than that.
--
-- KEYS[1] prefix
-- ARGV    delivery, token of this call, when it came (seconds since 1970), request as JSON
local p, delivery, token, at, request = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local seen = p .. 'seen:' .. delivery
if not redis.call('SET', seen, token, 'NX', 'EX', 90000) then
  return redis.call('GET', seen) == token and 1 or 0
end
redis.call('HSET', p .. 'inbox', delivery, request)
redis.call('ZADD', p .. 'inbox:at', at, delivery)
return 1
