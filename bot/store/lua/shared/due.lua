-- set_due(p, id, due, step_due): sets when the timer looks at a rollout next, and when its next step comes, in seconds
-- since 1970; '' removes either.
local function set_due(p, id, due, step_due)
  redis.call('HSET', p .. 'r:' .. id, 'step_due', step_due)
  if due == '' then
    redis.call('HDEL', p .. 'r:' .. id, 'due')
    redis.call('ZREM', p .. 'due', id)
  else
    redis.call('HSET', p .. 'r:' .. id, 'due', due)
    redis.call('ZADD', p .. 'due', due, id)
  end
end
