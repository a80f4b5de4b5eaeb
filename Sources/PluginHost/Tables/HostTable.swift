internal import PluginABI
internal import Synchronization

/// The `roost_host` of each plugin.
enum HostTable {
    static func make(context: UnsafeMutableRawPointer, version: roost_bytes, settings: roost_bytes) -> roost_host {
        roost_host(
            abi_major: HostABI.major, abi_minor: HostABI.minor, version: version, settings: settings, context: context,
            get_table: { host, id in
                guard let plugin = LoadedPlugin.from(host), let id = id.text else { return nil }
                if let capability = HostABI.tables[id] {
                    if let capability, !plugin.isGranted(capability) { return nil }
                    return HostTables.table(id)
                }
                if let own = plugin.registrations.withLock({ $0.tables[id] }) { return own.raw }
                return plugin.services.accepted.withLock { $0.tables[id] }?.table.raw
            },
            offer_table: { host, id, table in
                guard let plugin = LoadedPlugin.from(host), let id = id.text, let table else { return ROOST_EINVALID }
                guard plugin.phase == .initialising else { return ROOST_ETHREAD }
                let isListed = plugin.candidate.manifest?.offeredTables.contains(id) == true
                guard HostABI.tables[id] == nil, isListed else {
                    plugin.registrations.withLock { $0.complaint = "plugin.json does not list the table \"\(id)\"" }
                    return ROOST_EDENIED
                }
                let isTaken = plugin.services.accepted.withLock { $0.tables[id] != nil }
                return plugin.registrations.withLock { registrations in
                    if isTaken || registrations.tables[id] != nil { return ROOST_ECONFLICT }
                    registrations.tables[id] = TablePointer(raw: table)
                    return ROOST_OK
                }
            },
            allocate: { host, size in LoadedPlugin.from(host)?.allocate(size) },
            release: { host, memory in
                guard let plugin = LoadedPlugin.from(host), let memory else { return }
                plugin.release(memory)
            },
            scratch: { call, size in
                guard size <= 1 << 30, let call = PluginCall.from(call) else { return nil }
                return call.scratch(Int(size))
            },
            fail: { call, status, code, message in
                PluginCall.from(call)?.fail(status: status, code: code, message: message)
            },
            fail_field: { call, field, code, message, params in
                PluginCall.from(call)?.failField(field, code: code, message: message, params: params)
            })
    }
}
