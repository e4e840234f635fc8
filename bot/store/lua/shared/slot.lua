-- free_slot(p, id, uid): lets another rollout have the route with this uid, if the rollout has it.
local function free_slot(p, id, uid)
  if redis.call('HGET', p .. 'slots', uid) == id then redis.call('HDEL', p .. 'slots', uid) end
end
