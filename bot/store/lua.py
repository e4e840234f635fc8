"""The Redis scripts: each is one all-or-nothing change of what the bot remembers. Redis 6.2 commands only.

Every key begins with the prefix in KEYS[1], whose braces keep them in one slot of a Redis Cluster.
A script that is sent twice at once because its reply was lost does its work once.
"""

READY = """
-- See epoch.py. ``epoch`` and ``seen`` are what this replica has seen; a rebuild says 'any' and is not asked.
local function is_whole(p, epoch, seen)
  if epoch == 'any' then return true end
  local store = redis.call('HMGET', p .. 'store', 'epoch', 'writes')
  local stored, writes = tonumber(store[1] or 0), tonumber(store[2] or 0)
  if stored == 0 then return false end
  if stored > tonumber(epoch) or (stored == tonumber(epoch) and writes >= tonumber(seen)) then return true end
  redis.call('HDEL', p .. 'store', 'epoch')
  return false
end
local function counted(p)
  local store = redis.call('HMGET', p .. 'store', 'epoch', 'writes')
  return {store[1] or '0', store[2] or '0'}
end
"""

MARK = """
-- Of one urgency the first come is the first served: where Slack slows the board down, nobody waits for ever.
local function mark(p, id, urgency)
  redis.call('HINCRBY', p .. 'r:' .. id, 'mark', 1)
  local at = redis.call('ZSCORE', p .. 'dirty', id)
  if at and math.floor(tonumber(at)) <= urgency then return end
  local place = redis.call('HINCRBY', p .. 'store', 'marks', 1) % 1e9
  redis.call('ZADD', p .. 'dirty', urgency + place / 1e9, id)
end
local function set_due(p, id, due, step_due)
  redis.call('HSET', p .. 'r:' .. id, 'step_due', due ~= '' and step_due or '')
  if due == '' then
    redis.call('HDEL', p .. 'r:' .. id, 'due')
    redis.call('ZREM', p .. 'due', id)
  else
    redis.call('HSET', p .. 'r:' .. id, 'due', due)
    redis.call('ZADD', p .. 'due', due, id)
  end
end
local function keep_for_now(p, id, seconds)
  for _, kind in ipairs({'r:', 'events:', 'shown:'}) do redis.call('EXPIRE', p .. kind .. id, seconds) end
end
local function free_slot(p, id, uid)
  if redis.call('HGET', p .. 'slots', uid) == id then redis.call('HDEL', p .. 'slots', uid) end
end
"""

RECEIVE = """
local p, delivery, token, at, request = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local seen = p .. 'seen:' .. delivery
if not redis.call('SET', seen, token, 'NX', 'EX', 900) then
  return redis.call('GET', seen) == token and 1 or 0
end
redis.call('HSET', p .. 'inbox', delivery, request)
redis.call('ZADD', p .. 'inbox:at', at, delivery)
return 1
"""

# c: id, expected, decision, request, take_slot, started, uid, record, due, step_due, poll, events, slotless, over,
#    refused, brake, settled, applied, applied_revision, canary, channel, now, kept (seconds to keep what is over)
SAVE = (
    READY
    + MARK
    + """
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
if stored == '' then
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
           'over', c.over and '1' or '0')
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
if c.refused then redis.call('LREM', order, 0, c.id) end
-- An index stays while something that it names is not over, and then outlives it: ``kept`` counts from when the end is
-- on the route, which may be later.
local function keep(index, is_needed)
  if is_needed then redis.call('PERSIST', index) else redis.call('EXPIRE', index, 2 * c.kept) end
end
local newest = redis.call('LINDEX', order, -1)
keep(order, newest and redis.call('HGET', p .. 'r:' .. newest, 'over') == '0')
for _, index in ipairs(indices) do
  keep(index, not c.over or #redis.call('ZINTER', 2, p .. 'active', index) > 0)
end
-- A gateway that has not answered yet is listened to first, whatever was decided meanwhile.
local listens = c.due ~= '' and not c.over and redis.call('HGET', key, 'acceptance') == 'waiting'
set_due(p, c.id, listens and c.poll or c.due, listens and '' or c.step_due)
for _, event in ipairs(c.events) do redis.call('RPUSH', p .. 'events:' .. c.id, event) end
if c.settled and c.over then keep_for_now(p, c.id, c.kept) end
if c.request ~= '' then
  redis.call('HDEL', p .. 'inbox', c.request)
  redis.call('ZREM', p .. 'inbox:at', c.request)
  redis.call('SET', p .. 'became:' .. c.request, cjson.encode({rollout = c.id}), 'EX', 900)
end
mark(p, c.id, 1)
redis.call('HINCRBY', p .. 'store', 'writes', 1)
return {'yes', unpack(counted(p))}
"""
)

# ARGV: id, revision, decision, applied, moved, poll due, generation, seconds that a rollout which is over is kept
APPLIED = (
    MARK
    + """
local p, id, revision, decision, applied, moved, poll = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local key = p .. 'r:' .. id
local stored = redis.call('HMGET', key, 'decision', 'pending', 'applied_revision', 'slotless', 'uid', 'applied', 'over')
if stored[1] == decision then
  redis.call('HSET', key, 'pending', '[]')
  redis.call('ZREM', p .. 'pending', id)
  redis.call('ZREM', p .. 'pending:brakes', id)
  -- Said late, by a replica that was frozen: what has been heard of the gateway since then still holds.
  local known = stored[6] and cjson.decode(stored[6])
  if known and known.decision == decision and known.generation >= tonumber(ARGV[7]) then return 1 end
  redis.call('HSET', key, 'applied', applied, 'applied_revision', revision)
  redis.call('HDEL', key, 'trouble')
  if stored[4] == '1' then
    free_slot(p, id, stored[5])
  elseif not stored[3] then
    -- A finished rollout ends where another one is on its route: the timer looks at it now.
    local previous = redis.call('LINDEX', p .. 'order:' .. stored[5], -2)
    if previous then set_due(p, previous, poll, '') end
  end
  if moved == '1' then
    redis.call('HSET', key, 'acceptance', 'waiting')
    set_due(p, id, poll, '')
  else
    -- A tick that found it unwritten has claimed it: its own time counts again, not the claim's.
    local due = redis.call('HGET', key, 'due')
    if due then redis.call('ZADD', p .. 'due', due, id) end
  end
  if stored[7] == '1' then keep_for_now(p, id, ARGV[8]) end
  mark(p, id, 1)
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
"""
)

# c: id, decision, op, acceptance, due ('' as it is, 'none' cleared), step_due (with due), trouble, readiness, findings,
#    events, redraw
LEARN = (
    MARK
    + """
local p, c = KEYS[1], cjson.decode(ARGV[1])
local key = p .. 'r:' .. c.id
local stored = redis.call('HMGET', key, 'decision', 'op')
if stored[1] ~= c.decision then return 0 end
if stored[2] == c.op then return 1 end
redis.call('HSET', key, 'op', c.op)
if c.acceptance ~= '' then redis.call('HSET', key, 'acceptance', c.acceptance) end
if c.readiness ~= '' then redis.call('HSET', key, 'readiness', c.readiness) end
if c.findings ~= '' then redis.call('HSET', key, 'findings', c.findings) end
if c.trouble ~= '' then redis.call('HSET', key, 'trouble', c.trouble) end
if c.due == 'none' then set_due(p, c.id, '', '') elseif c.due ~= '' then set_due(p, c.id, c.due, c.step_due) end
for _, event in ipairs(c.events) do redis.call('RPUSH', p .. 'events:' .. c.id, event) end
if c.redraw then mark(p, c.id, 2) end
return 1
"""
)

# A claim: what is due is pushed ahead, so that it is asked for again where the step does not save a new time.
CLAIM = (
    READY
    + """
local p, now, ahead, most = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
if not is_whole(p, ARGV[4], ARGV[5]) then return {{}} end
local ids = redis.call('ZRANGEBYSCORE', p .. 'due', '-inf', now, 'WITHSCORES', 'LIMIT', 0, most)
for i = 1, #ids, 2 do redis.call('ZADD', p .. 'due', 'XX', ahead, ids[i]) end
return {ids, unpack(counted(p))}
"""
)

# What the board shows (saved only over what it was), and which cards are behind; a memory that is not whole shows
# nothing.
SHOW = (
    READY
    + """
local p, id, shown, was = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local function is_still(stored)
  if not stored or was == '' then return not stored and was == '' end
  local has = cjson.decode(stored)
  for name, value in pairs(cjson.decode(was)) do
    if has[name] ~= nil and has[name] ~= value then return false end  -- one that is not there is of another version
  end
  return true
end
local stored = redis.call('GET', p .. 'shown:' .. id)
local saved = stored == shown
if not saved and is_still(stored) then
  redis.call('SET', p .. 'shown:' .. id, shown, 'KEEPTTL')
  local left = redis.call('TTL', p .. 'r:' .. id)  -- a rollout that is over may be shown for the first time
  if left > 0 then redis.call('EXPIRE', p .. 'shown:' .. id, left) end
  redis.call('HINCRBY', p .. 'store', 'writes', 1)
  saved = true
end
return {saved and 1 or 0, unpack(counted(p))}
"""
)

DIRTY = (
    READY
    + """
local p, most = KEYS[1], ARGV[1]
if not is_whole(p, ARGV[2], ARGV[3]) then return {} end
return redis.call('ZRANGE', p .. 'dirty', 0, most)
"""
)

IS_WHOLE = (
    READY
    + """
return is_whole(KEYS[1], ARGV[1], ARGV[2]) and 1 or 0
"""
)

# A refused request leaves the inbox; the token tells a repeat of this call from somebody else's. One that the inbox has
# forgotten is refused by the first who asks.
DROP = """
local p, delivery, token, became = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
redis.call('ZREM', p .. 'inbox:at', delivery)
if redis.call('HDEL', p .. 'inbox', delivery) == 1 or redis.call('EXISTS', p .. 'seen:' .. delivery) == 0 then
  redis.call('SET', p .. 'seen:' .. delivery, token, 'NX', 'EX', 900)
  redis.call('SET', p .. 'dropped:' .. delivery, token, 'EX', 60)
  redis.call('SET', p .. 'became:' .. delivery, became, 'EX', 900)
  return 1
end
return redis.call('GET', p .. 'dropped:' .. delivery) == token and 1 or 0
"""

CLEAN = """
local p, id, seen = KEYS[1], ARGV[1], ARGV[2]
if (redis.call('HGET', p .. 'r:' .. id, 'mark') or '0') ~= seen then return 0 end
redis.call('ZREM', p .. 'dirty', id)
return 1
"""

# The lease: taken when free, renewed by its holder, given back by its holder.
HOLD_LEASE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

RELEASE_LEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
