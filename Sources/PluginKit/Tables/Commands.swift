internal import PluginABI

/// What a command may do while it runs.
public struct CommandContext {
    let call: Call

    /// The data folder's records.
    public var records: Records { Records(call) }
    public var host: Host { call.host }

    /// Writes a line to standard output.
    public func print(_ line: String) { write(line, isError: 0) }
    /// Writes a line to standard error.
    public func printError(_ line: String) { write(line, isError: 1) }

    /// Says why the command fails, for the host to print when it returns something other than 0. When a call into the
    /// host was refused before, what it had against it follows after a colon.
    public func fail(_ message: String) { call.fail(status: 400, code: "", message: message) }

    private func write(_ line: String, isError: UInt32) {
        line.withRoostBytes { call.host.commandsTable?.pointee.print?(call.host.raw, isError, $0) }
    }
}

extension Host {
    /// Adds a sub-command to the program. Needs the capability "commands".
    ///
    /// - Parameters:
    ///   - summary: one line for `roost --help`.
    ///   - usage: the text of `roost NAME --help`.
    ///   - run: gets the arguments without the command's name and returns the exit code; what it throws is printed and
    ///     ends with 1. Runs on a worker thread.
    public func command(
        _ name: String, summary: String, usage: String = "",
        run: @escaping @Sendable (_ arguments: [String], CommandContext) throws -> Int
    ) throws {
        guard let table = commandsTable else { throw HostError.denied(ROOST_TABLE_COMMAND) }
        let box = Unmanaged.passRetained(CommandBox(self, run))
        var command = roost_command_v1()
        command.user = box.toOpaque()
        command.run = { user, raw, arguments in
            guard let user, let raw else { return 1 }
            let box = Unmanaged<CommandBox>.fromOpaque(user).takeUnretainedValue()
            let context = CommandContext(call: Call(raw, box.host))
            let list = (try? JSONParser.parse(arguments.buffer))?.arrayValue ?? []
            do {
                return Int32(clamping: try box.run(list.compactMap(\.stringValue), context))
            } catch let error as ServiceError {
                context.printError(error.message)
                for (field, failure) in error.fields.sorted(by: { $0.key < $1.key }) {
                    context.printError("\(field): \(failure.message)")
                }
            } catch {
                context.printError(String(describing: error))
            }
            return 1
        }
        command.free = { user in
            if let user { Unmanaged<CommandBox>.fromOpaque(user).release() }
        }
        let status = name.withRoostBytes { name in
            summary.withRoostBytes { summary in
                usage.withRoostBytes { usage in
                    command.name = name
                    command.summary = summary
                    command.usage = usage
                    return withUnsafePointer(to: command) { table.pointee.add?(raw, $0) }
                }
            }
        }
        if (status ?? ROOST_EUNSUPPORTED) < 0 { box.release() }
        try check(status)
    }
}

private final class CommandBox: Sendable {
    let host: Host
    let run: @Sendable ([String], CommandContext) throws -> Int

    init(_ host: Host, _ run: @escaping @Sendable ([String], CommandContext) throws -> Int) {
        self.host = host
        self.run = run
    }
}
