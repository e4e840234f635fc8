-- needs: mark, due
-- Saves what was learnt about a decision, if it is still the stored one; 0 if it is not.
--
-- KEYS[1] prefix
-- ARGV[1] JSON object, see `learn_arguments` in rows.py:
--           id, decision, op (names this call), acceptance, trouble, readiness and findings ('' leaves each as it is),
--           due ('' as it is, 'none' takes it away, else seconds since 1970), step_due (goes with due, '' for none),
--           retry (when a pending write is tried next, '' as it is),
--           events (JSON texts), redraw
local p, c = KEYS[1], cjson.decode(ARGV[1])
local key = p .. 'r:' .. c.id
local stored = redis.call('HMGET', key, 'decision', 'op')
if stored[1] ~= c.decision then return 0 end
if stored[2] == c.op then return 1 end
redis.call('HSET', key, 'op', c.op)
if c.acceptance ~= '' then redis.call('HSET', key, 'acceptance', c.acceptance) end
if c.readiness ~= '' then redis.call('HSET', key, 'readiness', c.readiness) end
if c.trouble ~= '' then redis.call('HSET', key, 'trouble', c.trouble) end
if c.findings ~= '' then redis.call('HSET', key, 'findings', c.findings) end
if c.due == 'none' then set_due(p, c.id, '', '') elseif c.due ~= '' then set_due(p, c.id, c.due, c.step_due) end
if c.retry ~= '' then
  for _, index in ipairs({'pending', 'pending:brakes'}) do redis.call('ZADD', p .. index, 'XX', c.retry, c.id) end
end
for _, event in ipairs(c.events) do redis.call('RPUSH', p .. 'events:' .. c.id, event) end
if c.redraw then mark(p, c.id, 3) end
return 1
