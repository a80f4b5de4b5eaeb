internal import PluginABI

/// The plugin ABI that this host speaks.
package enum HostABI {
    package static let major = UInt32(ROOST_ABI_MAJOR)
    package static let minor = UInt32(ROOST_ABI_MINOR)

    /// The tables that this host has, by id, each with the capability that a plugin needs for it.
    package static let tables: [String: Capability?] = [
        ROOST_TABLE_FIELD_TYPE: Optional<Capability>.none,
        ROOST_TABLE_FIELD_QUERY: Optional<Capability>.none,
        ROOST_TABLE_RECORDS: Optional<Capability>.none,
        ROOST_TABLE_HOOKS: Optional<Capability>.none,
        ROOST_TABLE_LOG: Optional<Capability>.none,
        ROOST_TABLE_TEXT: Optional<Capability>.none,
        ROOST_TABLE_THREAD_CHECK: Optional<Capability>.none,
        ROOST_TABLE_SETTINGS: Optional<Capability>.none,
        ROOST_TABLE_CRON: Optional<Capability>.none,
        ROOST_TABLE_ALERTS: Optional<Capability>.none,
        ROOST_TABLE_FAILURE: Optional<Capability>.none,
        ROOST_TABLE_CHANGES: Optional<Capability>.none,
        ROOST_TABLE_FILES: .files,
        ROOST_TABLE_HTTP_STREAM: .http,
        ROOST_TABLE_FILE_THUMBS: .files,
        ROOST_TABLE_RECORD_REQUESTS: .http,
        ROOST_TABLE_HTTP: .http,
        ROOST_TABLE_IDENTITY: .identity,
        ROOST_TABLE_AUTH_METHOD: .identity,
        ROOST_TABLE_COMMAND: .commands,
    ]
}
