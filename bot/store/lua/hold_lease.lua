-- Takes the lease if it is free, or renews it for its holder. Returns 1 if the caller holds it now, else 0.
--
-- KEYS[1] key of the lease
-- ARGV    name of the caller, milliseconds
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
