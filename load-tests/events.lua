-- Events of new executions for wrk. Each execution sends a start event, and some thousand executions later an
-- end event. The bodies are like those of a client of generation 3, about 900 bytes.

local apps = {}
for i = 1, 300 do apps[i] = "app-" .. i end
local systems = { { "debian", "12" }, { "debian", "13" }, { "ubuntu", "24.04" }, { "alpine", "3.21" } }
local versions = { "8.4.1", "8.4.14", "9.0.3", "9.1.1" }
local cpus = { { "intel", "Intel(R) Xeon(R) E-2288G CPU @ 3.70GHz" }, { "amd", "AMD EPYC 7763 64-Core Processor" } }
local errors = {
  { 100, "dependency", "exit_code=100 | APT: Package manager error\\n---\\nE: Unable to locate package libfoo9" },
  { 137, "resource", "exit_code=137 | Killed (SIGKILL / Out of memory)\\n---\\nnpm ERR! heap out of memory" },
  { 1, "shell", "exit_code=1 | General error\\n---\\ncurl: (22) The requested URL returned error: 404" },
}
-- The end event of an execution follows this many executions after its start event, on the same thread.
local lag = 3000
-- One in this many executions is a retry within its session, as in recorded traffic.
local retries = 160
local templates, ends = {}, {}
local prefix, counter = "", 0

local function body(status, app, system, version, cpu, code, category, text, duration)
  return table.concat({
    '",\n    "type": "lxc",\n    "nsapp": "', app, '",\n    "status": "', status,
    '",\n    "ct_type": 1,\n    "disk_size": 8,\n    "core_count": 2,\n    "ram_size": 2048,\n    "os_type": "', system[1],
    '",\n    "os_version": "', system[2], '",\n    "pve_version": "', version,
    '",\n    "method": "default",\n    "exit_code": ', code, ',\n    "error": "', text,
    '",\n    "error_category": "', category, '",\n    "install_duration": ', duration,
    ',\n    "cpu_vendor": "', cpu[1], '",\n    "cpu_model": "', cpu[2],
    '",\n    "gpu_vendor": "intel",\n    "gpu_model": "Intel Corporation AlderLake-S GT1",\n    "gpu_passthrough": "no"',
    ',\n    "ram_speed": "4800",\n    "arch": "amd64",\n    "platform": "pve",\n    "has_arm": false',
    ',\n    "repo_source": "ProxmoxVE",\n    "repo_slug": "community-scripts/ProxmoxVE"',
    ',\n    "kernel_version": "6.8.12-11-pve",\n    "app_version": "", "failed_command": "", "failed_line": 0\n}' })
end

local function request_head(length)
  return "POST /telemetry HTTP/1.1\r\nHost: localhost\r\nUser-Agent: community-scripts-core/2\r\n" ..
    "Content-Type: application/json\r\nContent-Length: " .. length .. "\r\n\r\n"
end

function init()
  math.randomseed(os.time() * 1000 + tonumber(tostring({}):match("0x(%x+)"), 16) % 1000000)
  prefix = string.format("%08x-%04x", math.random(0, 0xfffffff), math.random(0, 0xffff))
  for i = 1, 512 do
    -- Popular scripts more often.
    local app = apps[math.floor(300 ^ math.random())]
    local system, version = systems[math.random(#systems)], versions[math.random(#versions)]
    local cpu = cpus[math.random(#cpus)]
    templates[i] = body("installing", app, system, version, cpu, 0, "", "", 0)
    if math.random() < 0.8 then
      ends[i] = body("success", app, system, version, cpu, 0, "", "", math.random(20, 900))
    else
      local e = errors[math.random(#errors)]
      ends[i] = body("failed", app, system, version, cpu, e[1], e[2], e[3], math.random(5, 300))
    end
  end
end

function request()
  counter = counter + 1
  local run = math.floor(counter / 2)
  local rest
  if counter % 2 == 1 and run > lag then
    run = run - lag
    rest = ends[run % 512 + 1]
  else
    if counter % 2 == 1 then run = -run end
    rest = templates[run % 512 + 1]
  end
  local id = string.format("%s-%08x", prefix, run % 0x100000000)
  -- The first attempt has the id of the session, a retry has one of its own.
  local retry = run % retries == 0 and "r" or ""
  local json = '{\n    "payload_version": 2,\n    "random_id": "' .. id .. '",\n    "execution_id": "' .. id .. retry .. rest
  return request_head(#json) .. json
end
