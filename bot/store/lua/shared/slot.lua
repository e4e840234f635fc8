-- free_slot(p, id, uid): frees the route with this uid for another rollout, if this rollout has it.
local function free_slot(p, id, uid)
  if redis.call('HGET', p .. 'slots', uid) == id then redis.call('HDEL', p .. 'slots', uid) end
end
