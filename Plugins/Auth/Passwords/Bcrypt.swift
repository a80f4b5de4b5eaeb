import CCrypt
import COpenSSL
import Glibc
import PluginKit

/// Checks bcrypt hashes by libcrypt. Slow by design, and so done on a few threads that give way to all others: however
/// many sign in, requests that only read are answered as ever.
enum Bcrypt {
    private static let usual = JobQueue(
        maxThreads: max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))), maxWaiting: 2000, niceness: 10)
    /// For hashes that take seconds to days: one at a time, and no long queue, so that they keep nobody else waiting.
    private static let slow = JobQueue(maxThreads: 1, maxWaiting: 4, niceness: 19)
    /// The first cost of these.
    private static let slowCost = 16

    /// Whether a password is that of a hash, of whatever cost. One hash is made in any case, so that the time does not
    /// tell a missing hash, or a password that can be nobody's, from a wrong password. Waits.
    ///
    /// - Parameters:
    ///   - hash: empty when there is none; it fits no password then.
    ///   - cost: of the hash that is made when there is nothing to compare.
    /// - Throws: 503 when too many hashes are waiting.
    static func verify(_ password: String, _ hash: String, cost: Int) throws -> Bool {
        // libcrypt ends a password at a NUL, and so would take it for the part before.
        guard let tail = tail(of: hash), !password.isEmpty, !password.utf8.contains(0) else {
            try pretend(cost: cost)
            return false
        }
        guard let computed = try queued(password, "$2b$" + tail), let own = self.tail(of: computed) else {
            return false
        }
        let (left, right) = (Array(own.utf8), Array(tail.utf8))
        guard left.count == right.count else { return false }
        return left.withUnsafeBytes { left in
            right.withUnsafeBytes { right in CRYPTO_memcmp(left.baseAddress, right.baseAddress, left.count) == 0 }
        }
    }

    /// Takes the time of a hash, for nothing.
    static func pretend(cost: Int) throws {
        _ = try queued("x", "$2b$" + (cost < 10 ? "0" : "") + String(cost) + "$......................")
    }

    private static func queued(_ password: String, _ setting: String) throws -> String? {
        let queue = cost(of: setting) ?? 0 >= slowCost ? slow : usual
        guard let result = queue.wait(for: { crypt(password, setting: setting) }) else { throw ServiceError.overloaded }
        return result
    }

    /// The cost of a hash; nil for what is none.
    static func cost(of hash: String) -> Int? {
        guard hash.hasPrefix("$2"), let cost = Int(hash.dropFirst(4).prefix(2)), (4...31).contains(cost) else {
            return nil
        }
        return cost
    }

    /// Ends the threads.
    static func stop() {
        usual.stop()
        slow.stop()
    }

    /// What follows `$2a$`: cost, salt and hash. Under `$2a$` libcrypt hashes a few passwords with 8-bit characters
    /// differently from everybody else, a guard against hashes of an old bug of its own; under `$2b$` it does what Go
    /// calls `$2a$`.
    private static func tail(of hash: String) -> Substring? {
        guard hash.utf8.count == 60, hash.hasPrefix("$2"), let end = hash.utf8.dropFirst(3).first,
            end == UInt8(ascii: "$")
        else { return nil }
        return hash.dropFirst(4)
    }

    private static func crypt(_ password: String, setting: String) -> String? {
        var data: UnsafeMutableRawPointer?
        var size: Int32 = 0
        let result = crypt_ra(password, setting, &data, &size)
        defer {
            if let data {
                explicit_bzero(data, Int(size))
                free(data)
            }
        }
        return result.map { String(cString: $0) }
    }
}
