internal import Engine
internal import PluginABI
internal import Synchronization

/// "roost.hooks/1".
enum HooksTable {
    static func make() -> roost_hooks_v1 {
        roost_hooks_v1(
            add: { host, hook in
                guard let plugin = LoadedPlugin.from(host), let hook = hook?.pointee else { return ROOST_EINVALID }
                guard plugin.phase == .initialising else { return ROOST_ETHREAD }
                guard let event = hook.event.text, let collections = hook.collections.text, let handler = hook.handler
                else { return ROOST_EINVALID }
                guard let event = HookName(rawValue: event) else { return ROOST_ENOTFOUND }
                let user = PluginUser(hook.user, free: hook.free)
                user.adopt()
                let names = collections.split(separator: ",").map { name in
                    String(name.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
                }
                let made = PluginHook(
                    plugin: plugin, event: event, collections: names.filter { !$0.isEmpty },
                    priority: Int(hook.priority), user: user, handler: handler)
                plugin.registrations.withLock { $0.hooks.append(made) }
                return ROOST_OK
            },
            next: { call, event in
                guard let call = PluginCall.from(call), let frame = CallThread.current.frame(event.id),
                    frame === call, let happening = call.event
                else { return ROOST_ESTALE }
                guard call.claimNext() else { return ROOST_ECONFLICT }
                do {
                    try happening.next()
                    return ROOST_OK
                } catch {
                    let status = call.status(for: error)
                    // The hook decides by the sign only; what went wrong is kept in the call.
                    return status
                }
            },
            record: { event, out in
                guard let out else { return ROOST_EINVALID }
                out.pointee = roost_record()
                guard let frame = CallThread.current.frame(event.id), frame.event != nil else { return ROOST_ESTALE }
                guard frame.record != nil else { return ROOST_ENOTFOUND }
                out.pointee = roost_record(id: event.id)
                return ROOST_OK
            },
            request: { event, out in
                guard let out else { return ROOST_EINVALID }
                out.pointee = roost_request()
                guard let frame = CallThread.current.frame(event.id), frame.event != nil else { return ROOST_ESTALE }
                guard let handle = frame.eventRequest() else { return ROOST_ENOTFOUND }
                out.pointee = roost_request(id: handle)
                return ROOST_OK
            },
            transaction: { event, out in
                guard let out else { return ROOST_EINVALID }
                out.pointee = roost_transaction()
                guard let frame = CallThread.current.frame(event.id), frame.event != nil else { return ROOST_ESTALE }
                guard frame.transaction != nil else { return ROOST_ENOTFOUND }
                out.pointee = roost_transaction(id: event.id)
                return ROOST_OK
            },
            name: { event, out in
                guard let out else { return ROOST_EINVALID }
                out.pointee = roost_bytes()
                guard let frame = CallThread.current.frame(event.id), let happening = frame.event else {
                    return ROOST_ESTALE
                }
                guard let bytes = frame.copy(happening.name) else { return ROOST_ENOMEM }
                out.pointee = bytes
                return ROOST_OK
            })
    }
}
