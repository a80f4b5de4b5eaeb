import ArgumentParser

/// Where a server listens: `127.0.0.1:8090`, `[::1]:8090`, `:8090` for every address of the machine.
struct ListenAddress: ExpressibleByArgument {
    let host: String
    let port: Int

    init?(argument: String) {
        guard let colon = argument.lastIndex(of: ":") else { return nil }
        let name = String(argument[argument.index(after: colon)...])
        switch name {
        case "http": port = 80
        case "https": port = 443
        default:
            guard let number = Int(name), (0...65535).contains(number), name.allSatisfy(\.isNumber) else { return nil }
            port = number
        }
        var host = argument[..<colon]
        if host.first == "[", host.last == "]" {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        self.host = String(host)
    }

    init(_ host: String, _ port: Int) {
        self.host = host
        self.port = port
    }
}
