-- ARGV: id, fence, error, retryable ("1" or "0"), delay_ms.  Ends the attempt.
-- Returns "OK" or "LOST".
if not holds(ARGV[1], ARGV[2]) then return 'LOST' end
attempt_over(ARGV[1], ARGV[3], ARGV[4] == '1', tonumber(ARGV[5]))
return 'OK'
