import Engine
package import PluginHost
import Store

extension Server {
    /// The command of a name that a plugin brought.
    package func command(_ name: String) -> PluginCommand? { plugins.commands.first { $0.name == name } }

    /// Whether anybody can sign in as a superuser.
    package var hasSuperuser: Bool {
        let count = try? engine.data.read {
            try $0.scalar("SELECT COUNT(*) FROM `_superusers` WHERE `email` != '__pbinstaller@example.com'")
        }
        return (count?.intValue ?? 0) > 0
    }
}
