-- Removes a request that changed nothing from the inbox; 0 if it was gone already.
--
-- KEYS[1] prefix
-- ARGV    delivery, token of this call, what became of it as JSON
--
-- The token tells a repeat of this call from somebody else's. If the inbox has forgotten the request, whoever asks
-- first refuses it.
local p, delivery, token, became = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
redis.call('ZREM', p .. 'inbox:at', delivery)
if redis.call('HDEL', p .. 'inbox', delivery) == 1 or redis.call('EXISTS', p .. 'seen:' .. delivery) == 0 then
  redis.call('SET', p .. 'seen:' .. delivery, token, 'NX', 'EX', 90000)
  redis.call('SET', p .. 'dropped:' .. delivery, token, 'EX', 60)
  redis.call('SET', p .. 'became:' .. delivery, became, 'EX', 900)
  return 1
end
return redis.call('GET', p .. 'dropped:' .. delivery) == token and 1 or 0
