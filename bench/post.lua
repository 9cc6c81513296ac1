-- Environment: BODY, HEADERS ("name: value" lines), OUT (where the figures go, as JSON).
wrk.method = "POST"
wrk.body = os.getenv("BODY")
for line in string.gmatch(os.getenv("HEADERS"), "[^\n]+") do
  local name, value = string.match(line, "^([^:]+): (.*)$")
  wrk.headers[name] = value
end

function done(summary, latency)
  local e = summary.errors
  local file = io.open(os.getenv("OUT"), "w")
  file:write(string.format(
    '{"requests": %d, "duration_us": %d, "p50_us": %d, "p99_us": %d, "max_us": %d, "errors": %d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    e.status + e.connect + e.read + e.write + e.timeout))
  file:close()
end
