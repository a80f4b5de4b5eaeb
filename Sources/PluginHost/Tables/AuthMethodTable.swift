internal import Engine
internal import JSON
internal import PluginABI
internal import Synchronization

/// "roost.auth-method/1": takes the ways to sign in that plugins bring, and calls them for the plugin that signs in.
enum AuthMethodTable {
    static func make() -> roost_auth_methods_v1 {
        roost_auth_methods_v1(
            add: { host, method in
                guard let plugin = LoadedPlugin.from(host), let method = method?.pointee else { return ROOST_EINVALID }
                return AuthMethodTable.add(plugin, method)
            },
            list: { call, out in
                AuthMethodTable.answer(call, out) { call, owner in
                    let methods = owner.services.accepted.withLock {
                        $0.authMethods.values.sorted { $0.name < $1.name }
                    }
                    let list = methods.map { method -> JSON in
                        [
                            "name": .string(method.name), "title": .string(method.title),
                            "factors": .number(Double(method.factors)), "begins": .bool(method.begin != nil),
                        ]
                    }
                    return .success(JSON.array(list).serialized())
                }
            },
            options: { call, name, collection, out in
                AuthMethodTable.answer(call, out) { call, owner in
                    guard let method = AuthMethodTable.find(name, owner), let collection = collection.text,
                        let found = RecordsTable.collection(collection, call)
                    else { return .failure(Refusal(status: ROOST_ENOTFOUND)) }
                    let options = JSON.object(method.options(in: found))
                    let shown = owner.isGranted(.secrets) ? options : CollectionDocument.withoutSecrets(options)
                    return .success(shown.serialized())
                }
            },
            describe: { call, name, options, out in
                AuthMethodTable.passOn(call, name, out, nil) { method, inner, given in
                    guard let describe = method.describe else { return ROOST_EUNSUPPORTED }
                    return describe(method.user.pointer, inner.pointer, options, &given)
                }
            },
            begin: { call, name, attempt, out, error in
                guard let attempt = attempt?.pointee else { return ROOST_EINVALID }
                return AuthMethodTable.passOn(call, name, out, error) { method, inner, given in
                    guard let begin = method.begin else { return ROOST_EUNSUPPORTED }
                    return AuthMethodTable.with(attempt, inner) {
                        begin(method.user.pointer, inner.pointer, $0, &given)
                    }
                }
            },
            finish: { call, name, attempt, proof, error in
                guard let attempt = attempt?.pointee, let proof else { return ROOST_EINVALID }
                return AuthMethodTable.finish(call, name, attempt, proof, error)
            })
    }

    // MARK: - Taking methods

    private static func add(_ plugin: LoadedPlugin, _ method: roost_auth_method_v1) -> roost_status {
        guard plugin.isGranted(.identity) else { return ROOST_EDENIED }
        guard plugin.phase == .initialising else { return ROOST_ETHREAD }
        guard let name = method.name.text, AuthMethod.isName(name), let title = method.title.text,
            let defaults = method.defaults.object, let finish = method.finish,
            (1...(ROOST_FACTOR_FIRST | ROOST_FACTOR_SECOND)).contains(method.factors),
            AuthMethod.ownKeys[name] != nil || defaults["enabled"]?.boolValue == false
        else { return ROOST_EINVALID }
        let made = AuthMethod(
            plugin: plugin, name: name, title: title.isEmpty ? name : title, defaults: defaults,
            factors: method.factors, user: PluginUser(method.user, free: method.free), validate: method.validate,
            describe: method.describe, begin: method.begin, finish: finish)
        let isTaken = plugin.services.accepted.withLock { $0.authMethods[name] != nil }
        return plugin.registrations.withLock { registrations in
            // Whatever the order of loading, nobody gets between an identity provider and its own two.
            let isReserved = (name == "password" || name == "otp") && registrations.identity == nil
            if isReserved || isTaken || registrations.authMethods.contains(where: { $0.name == name }) {
                return ROOST_ECONFLICT
            }
            made.user.adopt()
            registrations.authMethods.append(made)
            return ROOST_OK
        }
    }

    // MARK: - Calling methods

    private struct Refusal: Error {
        var status: roost_status
    }

    private static func find(_ name: roost_bytes, _ owner: LoadedPlugin) -> AuthMethod? {
        guard let name = name.text else { return nil }
        return owner.services.accepted.withLock { $0.authMethods[name] }
    }

    private static func answer(
        _ call: OpaquePointer?, _ out: UnsafeMutablePointer<roost_bytes>?,
        _ body: (PluginCall, LoadedPlugin) -> Result<String, Refusal>
    ) -> roost_status {
        guard let call = PluginCall.from(call), let owner = call.owner, let out else { return ROOST_EINVALID }
        out.pointee = roost_bytes()
        guard owner.isGranted(.identity) else { return ROOST_EDENIED }
        switch body(call, owner) {
        case .failure(let refusal): return refusal.status
        case .success(let text):
            guard let bytes = call.copy(text) else { return ROOST_ENOMEM }
            out.pointee = bytes
            return ROOST_OK
        }
    }

    /// Calls a method's function in a call of its own plugin, and takes over the object that it gives.
    private static func passOn(
        _ pointer: OpaquePointer?, _ name: roost_bytes, _ out: UnsafeMutablePointer<roost_bytes>?,
        _ error: UnsafeMutablePointer<roost_bytes>?,
        _ body: (AuthMethod, PluginCall, inout roost_bytes) -> roost_status
    ) -> roost_status {
        answer(pointer, out) { call, owner in
            guard let method = find(name, owner) else { return .failure(Refusal(status: ROOST_ENOTFOUND)) }
            return withCall(method.plugin) { inner in
                inner.source = call.source
                var given = roost_bytes()
                let status = body(method, inner, &given)
                if status == ROOST_EUNSUPPORTED { return .failure(Refusal(status: status)) }
                if status < 0 {
                    error?.pointee = call.copy(inner.serviceError(status).body.serialized()) ?? roost_bytes()
                    return .failure(Refusal(status: ROOST_EFAILED))
                }
                guard let object = given.object else {
                    method.plugin.logOnce("The sign-in method \(method.name) gave no JSON object.")
                    return .failure(Refusal(status: ROOST_EINTERNAL))
                }
                return .success(JSON.object(object).serialized())
            }
        }
    }

    /// An attempt with the handles that the method's call may use, on a thread that may wait.
    private static func with(
        _ attempt: roost_auth_attempt_v1, _ inner: PluginCall,
        _ body: (UnsafePointer<roost_auth_attempt_v1>) -> roost_status
    ) -> roost_status {
        if ThreadRole.current == .loop { return ROOST_ETHREAD }
        var attempt = attempt
        if attempt.pending.id != 0 {
            let status = RecordsTable.work(attempt.pending) { record in
                attempt.pending = inner.handle(for: record.copy())
                return ROOST_OK
            }
            guard status == ROOST_OK else { return status }
        }
        return ThreadRole.with(.worker) { withUnsafePointer(to: attempt, body) }
    }

    private static func finish(
        _ pointer: OpaquePointer?, _ name: roost_bytes, _ attempt: roost_auth_attempt_v1,
        _ proof: UnsafeMutablePointer<roost_auth_proof_v1>, _ error: UnsafeMutablePointer<roost_bytes>?
    ) -> roost_status {
        proof.pointee = roost_auth_proof_v1()
        var found: Record?
        var meta = roost_bytes()
        let status = passOn(pointer, name, &meta, error) { method, inner, given in
            var own = roost_auth_proof_v1()
            let status = with(attempt, inner) { method.finish(method.user.pointer, inner.pointer, $0, &own) }
            if status < 0 { return status }
            // A plain yes with a record that is stored, and nothing else, signs in.
            guard status == ROOST_OK, let record = RecordsTable.record(own.record), !record.isNew,
                record.collection.id == attempt.collection.text
            else {
                method.plugin.logOnce("The sign-in method \(method.name) gave no record of the collection.")
                return ROOST_EINTERNAL
            }
            found = record
            given = own.meta
            return status
        }
        guard status >= 0 else { return status }
        guard let call = PluginCall.from(pointer), let found else { return ROOST_EINTERNAL }
        proof.pointee.record = call.handle(for: found)
        proof.pointee.meta = meta
        return ROOST_OK
    }
}
