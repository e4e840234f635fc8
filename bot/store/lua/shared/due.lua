-- set_due(p, id, due): says when the timer looks at a rollout next, in seconds since 1970; '' takes that away.
local function set_due(p, id, due)
  if due == '' then
    redis.call('HDEL', p .. 'r:' .. id, 'due')
    redis.call('ZREM', p .. 'due', id)
  else
    redis.call('HSET', p .. 'r:' .. id, 'due', due)
    redis.call('ZADD', p .. 'due', due, id)
  end
end
