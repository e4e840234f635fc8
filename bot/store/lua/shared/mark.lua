-- mark(p, id, urgency): puts a card on the list of those that are behind: 1 for another state, 2 for progress.
--
-- Of one urgency the first come is the first served: where Slack slows the board down, nobody waits for ever.
local function mark(p, id, urgency)
  redis.call('HINCRBY', p .. 'r:' .. id, 'mark', 1)
  local at = redis.call('ZSCORE', p .. 'dirty', id)
  if at and math.floor(tonumber(at)) <= urgency then return end
  local place = redis.call('HINCRBY', p .. 'store', 'marks', 1) % 1e9
  redis.call('ZADD', p .. 'dirty', urgency + place / 1e9, id)
end
