-- ARGV: id.  Returns "OK", "NOT_FOUND" or "TERMINAL".
return request_cancel(ARGV[1])
