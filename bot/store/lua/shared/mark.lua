-- mark(p, id, urgency): puts a card on the list of outdated cards, by how soon people have to see it (`Urgency`).
--
-- Of the two most urgent kinds the newest goes first: somebody looks at the screen now. Of the others, first come,
-- first served: even if Slack slows the board down, nobody waits for ever.
local function mark(p, id, urgency)
  urgency = tonumber(urgency) or 2
  redis.call('HINCRBY', p .. 'r:' .. id, 'mark', 1)
  local at = tonumber(redis.call('ZSCORE', p .. 'dirty', id) or 9)
  local newest_first = urgency < 2
  if math.floor(at) < urgency or (math.floor(at) == urgency and not newest_first) then return end
  local place = redis.call('HINCRBY', p .. 'store', 'marks', 1) % 1e9
  redis.call('ZADD', p .. 'dirty', urgency + (newest_first and 1e9 - 1 - place or place) / 1e9, id)
end
