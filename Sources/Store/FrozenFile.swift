internal import CSQLite

/// A database's file while it does not change: one committed state, ready to be copied. Until the body that was given it
/// returns, on its thread.
package struct FrozenFile {
    let connection: Connection
    /// In bytes.
    package let size: Int64

    /// Reads bytes of the file.
    ///
    /// - Returns: how many; 0 at the end.
    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StoreError) -> Int {
        let count = min(Int64(buffer.count), size - offset)
        guard count > 0 else { return 0 }
        guard roost_sqlite_read_file(connection.handle, buffer.baseAddress, Int32(clamping: count), offset) >= 0 else {
            throw StoreError(code: SQLITE_IOERR, message: "\(connection.path): the file cannot be read")
        }
        return Int(count)
    }
}
