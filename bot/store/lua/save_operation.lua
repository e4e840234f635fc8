-- needs: epoch, mark, over
-- Compares and saves one decision about an operation, and its events. Returns what became of it (`Saved`, or 'forgetful'
-- where data is missing), and after 'yes' the epoch and the count of writes.
--
-- KEYS[1] prefix
-- ARGV[1] JSON object, see `_arguments` in operations.py:
--           id, expected (decision that must be stored, '' for none), decision, request ('' for none), record, holds (a
--           subject or a slot), slot ('' for none), started, due (seconds since 1970; due '' for none), events (JSON
--           texts), over, moved (to another phase), kept (seconds to keep what is over)
-- ARGV[2] epoch that the caller has seen
-- ARGV[3] writes that it has seen counted
local p, c = KEYS[1], cjson.decode(ARGV[1])
local key = p .. 'r:' .. c.id
local stored = redis.call('HGET', key, 'decision') or ''
if stored == c.decision then return {'yes', unpack(counted(p))} end
if not is_whole(p, ARGV[2], ARGV[3]) then return {'forgetful'} end
if c.request ~= '' and redis.call('HEXISTS', p .. 'inbox', c.request) == 0 then
  return {redis.call('EXISTS', p .. 'seen:' .. c.request) == 1 and 'decided' or 'forgotten'}
end
if stored ~= c.expected then return {'lost'} end
if c.holds ~= '' and not c.over then
  local holder = redis.call('HGET', p .. 'operations:on', c.holds)
  if holder and holder ~= c.id and redis.call('ZSCORE', p .. 'operations', holder) then return {'taken'} end
  redis.call('HSET', p .. 'operations:on', c.holds, c.id)
end
if c.slot ~= '' and (stored == '' or redis.call('GET', p .. 'last:' .. c.slot) == c.id) then
  redis.call('SET', p .. 'last:' .. c.slot, c.id, 'EX', c.kept) -- a new one, or still the last
end
redis.call('HSET', key, 'decision', c.decision, 'operation', c.record)
redis.call(c.over and 'ZREM' or 'ZADD', p .. 'operations', unpack(c.over and {c.id} or {c.started, c.id}))
redis.call(c.due == '' and 'ZREM' or 'ZADD', p .. 'operations:due', unpack(c.due == '' and {c.id} or {c.due, c.id}))
for _, event in ipairs(c.events) do redis.call('RPUSH', p .. 'events:' .. c.id, event) end
if c.over then
  keep_for_now(p, c.id, c.kept)
  if redis.call('HGET', p .. 'operations:on', c.holds) == c.id then
    redis.call('HDEL', p .. 'operations:on', c.holds)
  end
else
  for _, kind in ipairs({'r:', 'events:', 'shown:'}) do redis.call('PERSIST', p .. kind .. c.id) end
end
if c.request ~= '' then
  redis.call('HDEL', p .. 'inbox', c.request)
  redis.call('ZREM', p .. 'inbox:at', c.request)
  redis.call('SET', p .. 'became:' .. c.request, cjson.encode({operation = c.id}), 'EX', 900)
end
mark(p, c.id, c.moved and 1 or 3)
redis.call('HINCRBY', p .. 'store', 'writes', 1)
return {'yes', unpack(counted(p))}
