-- needs: epoch, mark, due, over, slot
-- Compares and saves one decision, its events and when the timer looks next. Returns what became of it (`Saved`, or
-- 'forgetful' where data is missing), and after 'yes' the epoch and the count of writes.
--
-- KEYS[1] prefix
-- ARGV[1] JSON object, see `save_arguments` in rows.py:
--           id, expected (decision that must be stored, '' for none), decision, request ('' for none), take_slot,
--           started, now, due, step_due and poll (seconds since 1970; '' for none), uid (of the route), record, events (JSON
--           texts), slotless ('1' or '0'), over, refused, brake, settled, applied (JSON or ''), applied_revision,
--           canary, channel, urgency (of showing it), kept (seconds to keep what is over)
-- ARGV[2] epoch that the caller has seen, or 'any'
-- ARGV[3] writes that it has seen counted
local p, c = KEYS[1], cjson.decode(ARGV[1])
local key, order = p .. 'r:' .. c.id, p .. 'order:' .. c.uid
local indices = {p .. 'canary:' .. c.canary, p .. 'channel:' .. c.channel}
local stored = redis.call('HGET', key, 'decision') or ''
if stored == c.decision then return {'yes', unpack(counted(p))} end
if not is_whole(p, ARGV[2], ARGV[3]) then return {'forgetful'} end
if c.request ~= '' and redis.call('HEXISTS', p .. 'inbox', c.request) == 0 then
  return {redis.call('EXISTS', p .. 'seen:' .. c.request) == 1 and 'decided' or 'forgotten'}
end
if stored ~= c.expected then return {'lost'} end
if c.take_slot then
  local holder = redis.call('HGET', p .. 'slots', c.uid)
  if holder and holder ~= c.id then return {'taken'} end
  if stored ~= '' and (redis.call('LINDEX', order, -1) or c.id) ~= c.id then return {'followed'} end
  redis.call('HSET', p .. 'slots', c.uid, c.id)
end
-- A newer rollout takes the way back from the one before it, whose card loses a button; a refused one gives it back.
local function follow(id, followed)
  if id and redis.call('HGET', p .. 'r:' .. id, 'record') then
    redis.call('HSET', p .. 'r:' .. id, 'followed', followed)
    mark(p, id, 3)
  end
end
if stored == '' then
  follow(redis.call('LINDEX', order, -1), '1')
  redis.call('RPUSH', order, c.id)
  redis.call('LTRIM', order, -20, -1)
  for _, index in ipairs(indices) do
    redis.call('ZADD', index, c.started, c.id)
    for _, old in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', c.started - c.kept)) do
      if redis.call('EXISTS', p .. 'r:' .. old) == 0 then redis.call('ZREM', index, old) end
    end
  end
end
redis.call('HSET', key, 'decision', c.decision, 'record', c.record, 'slotless', c.slotless, 'uid', c.uid,
           'over', c.over and '1' or '0', 'urgency', c.urgency)
if c.applied ~= '' then redis.call('HSET', key, 'applied', c.applied, 'applied_revision', c.applied_revision) end
local pending = cjson.decode(redis.call('HGET', key, 'pending') or '[]')
if c.settled or c.applied ~= '' then pending = {} end
if not c.settled then pending[#pending + 1] = c.decision end
redis.call('HSET', key, 'pending', #pending == 0 and '[]' or cjson.encode(pending))
redis.call('ZREM', p .. 'pending', c.id)
redis.call('ZREM', p .. 'pending:brakes', c.id)
if not c.settled then
  redis.call('ZADD', p .. (c.brake and 'pending:brakes' or 'pending'), c.now + 1, c.id)
elseif c.slotless == '1' then
  free_slot(p, c.id, c.uid)
end
redis.call(c.over and 'ZREM' or 'ZADD', p .. 'active', unpack(c.over and {c.id} or {c.started, c.id}))
if c.refused then
  redis.call('LREM', order, 0, c.id)
  follow(redis.call('LINDEX', order, -1), '0')
end
-- An index stays while a rollout in it is not over, and then outlives it: ``kept`` counts from when the end is
-- on the route, which may be later.
local function keep(index, is_needed)
  if is_needed then redis.call('PERSIST', index) else redis.call('EXPIRE', index, 2 * c.kept) end
end
local newest = redis.call('LINDEX', order, -1)
keep(order, newest and redis.call('HGET', p .. 'r:' .. newest, 'over') == '0')
for _, index in ipairs(indices) do
  keep(index, not c.over or #redis.call('ZINTER', 2, p .. 'active', index) > 0)
end
-- If the gateway has not answered yet, its answer comes first, whatever was decided meanwhile.
local listens = c.due ~= '' and not c.over and redis.call('HGET', key, 'acceptance') == 'waiting'
set_due(p, c.id, listens and c.poll or c.due, listens and '' or c.step_due)
for _, event in ipairs(c.events) do redis.call('RPUSH', p .. 'events:' .. c.id, event) end
if c.settled and c.over then keep_for_now(p, c.id, c.kept) end
if c.request ~= '' then
  redis.call('HDEL', p .. 'inbox', c.request)
  redis.call('ZREM', p .. 'inbox:at', c.request)
  redis.call('SET', p .. 'became:' .. c.request, cjson.encode({rollout = c.id}), 'EX', 900)
end
mark(p, c.id, c.urgency)
redis.call('HINCRBY', p .. 'store', 'writes', 1)
return {'yes', unpack(counted(p))}
