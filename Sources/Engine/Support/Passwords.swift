import CCrypt
import COpenSSL
import Glibc

/// bcrypt through libcrypt. Slow by design: worker threads only.
package enum Passwords {
    /// Whether a plain password is that of a bcrypt hash, of whatever cost. As PocketBase's, a hash of nothing fits no
    /// password.
    package static func verify(_ plain: String, _ hash: String) -> Bool {
        guard !hash.isEmpty, !plain.isEmpty, !plain.utf8.contains(0) else { return false }
        let computed = crypt(plain, setting: hash)
        guard let computed, computed.utf8.count == hash.utf8.count else { return false }
        return Array(computed.utf8).withUnsafeBytes { left in
            Array(hash.utf8).withUnsafeBytes { right in
                CRYPTO_memcmp(left.baseAddress, right.baseAddress, left.count) == 0
            }
        }
    }

    private static func crypt(_ plain: String, setting: String) -> String? {
        let data = UnsafeMutablePointer<crypt_data>.allocate(capacity: 1)
        defer {
            explicit_bzero(data, MemoryLayout<crypt_data>.size)
            data.deallocate()
        }
        memset(data, 0, MemoryLayout<crypt_data>.size)
        guard let result = crypt_r(plain, setting, data) else { return nil }
        let text = String(cString: result)
        return text.hasPrefix("*") ? nil : text
    }
}
