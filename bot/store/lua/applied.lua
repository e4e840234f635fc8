-- needs: mark, due, over, slot
-- Saves that a decision is on the route. Returns 1 if it is the newest one, else 0.
--
-- KEYS[1] prefix
-- ARGV    rollout id, revision, decision, applied as JSON, '1' where weights were written, when to listen to the
--         gateway (seconds since 1970), generation of the route, seconds to keep a rollout that is over
local p, id, revision, decision, applied, moved, poll = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local key = p .. 'r:' .. id
local stored = redis.call('HMGET', key, 'decision', 'pending', 'applied_revision', 'slotless', 'uid', 'applied', 'over',
                          'urgency')
if stored[1] == decision then
  redis.call('HSET', key, 'pending', '[]')
  redis.call('ZREM', p .. 'pending', id)
  redis.call('ZREM', p .. 'pending:brakes', id)
  -- This came late, from a replica that was frozen: what the gateway has said since then still holds.
  local known = stored[6] and cjson.decode(stored[6])
  if known and known.decision == decision and known.generation >= tonumber(ARGV[7]) then return 1 end
  redis.call('HSET', key, 'applied', applied, 'applied_revision', revision)
  redis.call('HDEL', key, 'trouble')
  if stored[4] == '1' then
    free_slot(p, id, stored[5])
  elseif not stored[3] then
    -- A finished rollout ends when another one is on its route: the timer looks at it now.
    local previous = redis.call('LINDEX', p .. 'order:' .. stored[5], -2)
    if previous then set_due(p, previous, poll, '') end
  end
  if moved == '1' then
    redis.call('HSET', key, 'acceptance', 'waiting')
    set_due(p, id, poll, '')
  else
    -- A tick claimed it before it was written: its own time counts again, not the claim's.
    local due = redis.call('HGET', key, 'due')
    if due then redis.call('ZADD', p .. 'due', due, id) end
  end
  if stored[7] == '1' then keep_for_now(p, id, ARGV[8]) end
  mark(p, id, stored[8] or 2)
  return 1
end
local later, found = {}, false
for _, pending in ipairs(cjson.decode(stored[2] or '[]')) do
  if found then later[#later + 1] = pending end
  if pending == decision then found = true end
end
if found and tonumber(revision) > tonumber(stored[3] or '0') then
  redis.call('HSET', key, 'applied', applied, 'applied_revision', revision, 'pending', cjson.encode(later))
end
return 0
