import PluginKit
import Synchronization

final class MailPlugin: Plugin {
    static let info = PluginInfo(
        id: "org.roost.mail", version: "1.0.0", name: "Mail", vendor: "Roost", license: "MIT")

    private let service = Mutex<MailService?>(nil)

    func register(_ host: Host) throws {
        let service = MailService(host)
        let alerts = AlertMail(mailer: try host.offerMailer(service), service: service)
        try host.onAlert { try alerts.send($0, $1) }
        self.service.withLock { $0 = service }
    }

    func stop() { service.withLock { $0 }?.finish() }
}

@c(roost_plugin_entry) public func entry() -> UnsafeRawPointer { PluginEntry.descriptor(for: MailPlugin.self) }
