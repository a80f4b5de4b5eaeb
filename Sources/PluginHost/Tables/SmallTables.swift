internal import Engine
internal import JSON
internal import PluginABI
internal import Synchronization

/// "roost.field-type/1": takes the types that a plugin brings.
enum FieldTypeTable {
    static func make() -> roost_field_types_v1 {
        roost_field_types_v1(add: { host, type, instance in
            guard let plugin = LoadedPlugin.from(host), let type else { return ROOST_EINVALID }
            guard plugin.phase == .initialising else { return ROOST_ETHREAD }
            do {
                let type = try CFieldType(table: type.pointee, instance: instance, plugin: plugin)
                guard plugin.candidate.manifest?.fieldTypes.contains(type.id) == true else {
                    throw PluginProblem(.failed, "plugin.json does not list the field type \"\(type.id)\"")
                }
                let isTaken = plugin.services.accepted.withLock { $0.fieldTypes[type.id] != nil }
                return plugin.registrations.withLock { registrations in
                    if isTaken || registrations.fieldTypes.contains(where: { $0.id == type.id }) {
                        return ROOST_ECONFLICT
                    }
                    registrations.fieldTypes.append(type)
                    return ROOST_OK
                }
            } catch {
                let message = (error as? PluginProblem)?.message ?? "\(error)"
                plugin.registrations.withLock { $0.complaint = message }
                return ROOST_EINVALID
            }
        })
    }
}

/// "roost.field-query/1": takes how the values of such a type are compared.
enum FieldQueryTable {
    static func make() -> roost_field_queries_v1 {
        roost_field_queries_v1(add: { host, query in
            guard let plugin = LoadedPlugin.from(host), let query = query?.pointee, let type = query.type.text else {
                return ROOST_EINVALID
            }
            guard plugin.phase == .initialising else { return ROOST_ETHREAD }
            let uses = FieldKeyUses(rawValue: query.key_uses)
            guard uses.isSubset(of: .all), uses.isEmpty || query.key != nil else { return ROOST_EINVALID }
            return plugin.registrations.withLock { registrations in
                guard let index = registrations.fieldTypes.firstIndex(where: { $0.id == type }) else {
                    return ROOST_ENOTFOUND
                }
                guard registrations.fieldTypes[index].query == nil else { return ROOST_ECONFLICT }
                registrations.fieldTypes[index] = CFieldType(registrations.fieldTypes[index], query: query)
                return ROOST_OK
            }
        })
    }
}

/// "roost.log/1".
enum LogTable {
    static func make() -> roost_log_v1 {
        roost_log_v1(
            write: { host, level, message, data in
                guard let plugin = LoadedPlugin.from(host) else { return }
                guard Int(level) >= plugin.services.configuration.logLevel() else { return }
                var details = data.object ?? ["invalidData": .string(data.message)]
                details["plugin"] = .string(plugin.id)
                plugin.log(Int(level), message.message, details)
            },
            enabled: { host, level in
                guard let plugin = LoadedPlugin.from(host) else { return 0 }
                return Int(level) >= plugin.services.configuration.logLevel() ? 1 : 0
            })
    }
}

/// "roost.thread-check/1".
enum ThreadCheckTable {
    static func make() -> roost_thread_check_v1 {
        roost_thread_check_v1(
            is_loop: { ThreadRole.current == .loop ? 1 : 0 },
            is_worker: { ThreadRole.current == .worker ? 1 : 0 },
            is_writer: { ThreadRole.current == .writer ? 1 : 0 })
    }
}

/// "roost.command/1".
enum CommandTable {
    static func make() -> roost_commands_v1 {
        roost_commands_v1(
            add: { host, command in
                guard let plugin = LoadedPlugin.from(host), let command = command?.pointee else {
                    return ROOST_EINVALID
                }
                guard plugin.isGranted(.commands) else { return ROOST_EDENIED }
                guard plugin.phase == .initialising else { return ROOST_ETHREAD }
                guard let name = command.name.text, !name.isEmpty, let run = command.run else { return ROOST_EINVALID }
                let made = PluginCommand(
                    plugin: plugin, name: name, summary: command.summary.message, usage: command.usage.message,
                    user: PluginUser(command.user, free: command.free), run: run)
                let isTaken = plugin.services.accepted.withLock { $0.commands[name] != nil }
                return plugin.registrations.withLock { registrations in
                    if isTaken || registrations.commands.contains(where: { $0.name == name }) { return ROOST_ECONFLICT }
                    made.user.adopt()
                    registrations.commands.append(made)
                    return ROOST_OK
                }
            },
            print: { host, isError, line in
                LoadedPlugin.from(host)?.services.print(line.message, isError != 0)
            })
    }
}

/// "roost.identity/1".
enum IdentityTable {
    static func make() -> roost_identity_v1 {
        roost_identity_v1(provide: { host, provider in
            guard let plugin = LoadedPlugin.from(host), let provider = provider?.pointee,
                let claims = provider.claims, let verify = provider.verify
            else { return ROOST_EINVALID }
            guard plugin.isGranted(.identity) else { return ROOST_EDENIED }
            guard plugin.phase == .initialising else { return ROOST_ETHREAD }
            let made = IdentityProvider(
                plugin: plugin, user: PluginUser(provider.user, free: nil), claims: claims, verify: verify)
            let isTaken = plugin.services.accepted.withLock { $0.identity != nil }
            return plugin.registrations.withLock { registrations in
                if isTaken || registrations.identity != nil { return ROOST_ECONFLICT }
                registrations.identity = made
                return ROOST_OK
            }
        })
    }
}
