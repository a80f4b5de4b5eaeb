import CCrypt
import Glibc
import PluginKit
import Synchronization

/// bcrypt by libcrypt.
enum Bcrypt {
    struct Failed: Error {}

    /// Hashes made lately, so that a second try to save a record does not hash its hash. Bounded; only equality counts.
    private static let recent = Mutex<[String]>([])
    private static let recentLimit = 256

    static func remember(_ hash: String) {
        recent.withLock { recent in
            if recent.count >= recentLimit { recent.removeFirst(recentLimit / 2) }
            recent.append(hash)
        }
    }

    static func isRemembered(_ hash: String) -> Bool { recent.withLock { $0.contains(hash) } }

    /// Hashes a password. Takes about 60 ms at cost 10.
    ///
    /// - Parameters:
    ///   - cost: 4 to 31, the logarithm of the number of rounds.
    ///   - salt: 16 random bytes.
    static func hash(_ password: String, cost: Int, salt: [UInt8]) throws -> String {
        // A NUL would end the password early for libcrypt, and so make all with the same beginning equal.
        guard salt.count == 16, (4...31).contains(cost), !password.utf8.contains(0), password.utf8.count <= 72 else {
            throw Failure.invalidValue
        }
        // Under "$2a$" libcrypt hashes a few passwords with 8-bit characters differently from everybody else (a guard
        // against hashes of an old bug of its own); under "$2b$" it does what Go does and calls "$2a$".
        let setting = "$2b$" + (cost < 10 ? "0" : "") + String(cost) + "$" + encode(salt)
        var data: UnsafeMutableRawPointer?
        var size: Int32 = 0
        let result = crypt_ra(password, setting, &data, &size)
        defer {
            if let data {
                explicit_bzero(data, Int(size))
                free(data)
            }
        }
        guard let result else { throw Failed() }
        let hash = String(cString: result)
        guard hash.hasPrefix(setting.prefix(28)), hash.utf8.count == 60 else { throw Failed() }
        return "$2a$" + hash.dropFirst(4)
    }

    /// bcrypt's own base 64, of 16 bytes in 22 characters.
    private static func encode(_ bytes: [UInt8]) -> String {
        let alphabet = Array("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
        var result: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = (0..<3).map { start + $0 < bytes.count ? UInt32(bytes[start + $0]) : 0 }
            let bits = group[0] << 16 | group[1] << 8 | group[2]
            let count = min(bytes.count - start, 3) + 1
            for index in 0..<count { result.append(alphabet[Int(bits >> UInt32(18 - 6 * index) & 63)]) }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
