-- Puts an install on the list of those that keep data in this database. If there is data from before the time of
-- installs, and the install has none of its own yet, it takes that over. Returns how many keys it took over, then the
-- names of all installs.
--
-- KEYS[1] key of the list
-- ARGV    how every key of the bot begins, name of the install, mark of its cluster ('' where somebody named it), how
--         the install's keys begin
--
-- It leaves another type in place of the old `store` and `inbox`, so that Redis refuses a bot of the old version, which
-- may still run for a moment: that bot acknowledges nothing, takes no step and rebuilds nothing.
local installs, root, name, mark, prefix = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
redis.call('HSET', installs, name, mark)
local taken = 0
if redis.call('TYPE', root .. 'store').ok == 'hash' and redis.call('EXISTS', prefix .. 'store') == 0 then
  local new, old, cursor = root .. 'install:', {}, '0'
  repeat
    local page = redis.call('SCAN', cursor, 'MATCH', root .. '*', 'COUNT', 1000)
    cursor = page[1]
    for _, key in ipairs(page[2]) do old[key] = string.sub(key, 1, #new) ~= new end
  until cursor == '0'
  old[installs], old[root .. 'lease'] = nil, nil
  for key, is_old in pairs(old) do
    if is_old then
      redis.call('RENAME', key, prefix .. string.sub(key, #root + 1))
      taken = taken + 1
    end
  end
  for _, old in ipairs({'store', 'inbox'}) do redis.call('SET', root .. old, 'taken over by install ' .. name) end
end
return {taken, unpack(redis.call('HKEYS', installs))}
