-- mark(p, id, urgency): puts a card on the list of outdated cards: 1 for a new state, 2 for progress.
--
-- Within one urgency, first come, first served: even if Slack slows the board down, nobody waits for ever.
local function mark(p, id, urgency)
  redis.call('HINCRBY', p .. 'r:' .. id, 'mark', 1)
  local at = redis.call('ZSCORE', p .. 'dirty', id)
  if at and math.floor(tonumber(at)) <= urgency then return end
  local place = redis.call('HINCRBY', p .. 'store', 'marks', 1) % 1e9
  redis.call('ZADD', p .. 'dirty', urgency + place / 1e9, id)
end
