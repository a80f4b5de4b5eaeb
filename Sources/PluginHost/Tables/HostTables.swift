internal import PluginABI

/// The tables that the host gives to plugins. Each is made once and lives for ever.
enum HostTables {
    /// The table of an id of ``HostABI/tables``.
    static func table(_ id: String) -> UnsafeRawPointer? {
        switch id {
        case ROOST_TABLE_FIELD_TYPE: fieldTypes.raw
        case ROOST_TABLE_FIELD_QUERY: fieldQueries.raw
        case ROOST_TABLE_LOG: log.raw
        case ROOST_TABLE_TEXT: text.raw
        case ROOST_TABLE_THREAD_CHECK: threadCheck.raw
        case ROOST_TABLE_RECORDS: records.raw
        case ROOST_TABLE_RECORD_REQUESTS: recordRequests.raw
        case ROOST_TABLE_HTTP: http.raw
        case ROOST_TABLE_HOOKS: hooks.raw
        case ROOST_TABLE_COMMAND: commands.raw
        case ROOST_TABLE_IDENTITY: identity.raw
        case ROOST_TABLE_AUTH_METHOD: authMethods.raw
        case ROOST_TABLE_SETTINGS: settings.raw
        case ROOST_TABLE_FILES: files.raw
        case ROOST_TABLE_FILE_THUMBS: fileThumbs.raw
        case ROOST_TABLE_CRON: crons.raw
        case ROOST_TABLE_ALERTS: alerts.raw
        case ROOST_TABLE_FAILURE: failures.raw
        case ROOST_TABLE_HTTP_STREAM: httpStreams.raw
        case ROOST_TABLE_CHANGES: changes.raw
        default: nil
        }
    }

    private static let fieldTypes = lasting(FieldTypeTable.make())
    private static let fieldQueries = lasting(FieldQueryTable.make())
    private static let log = lasting(LogTable.make())
    private static let text = lasting(TextTable.make())
    private static let threadCheck = lasting(ThreadCheckTable.make())
    private static let records = lasting(RecordsTable.make())
    private static let recordRequests = lasting(RecordRequestsTable.make())
    private static let http = lasting(HTTPTable.make())
    private static let hooks = lasting(HooksTable.make())
    private static let commands = lasting(CommandTable.make())
    private static let identity = lasting(IdentityTable.make())
    private static let authMethods = lasting(AuthMethodTable.make())
    private static let settings = lasting(SettingsTable.make())
    private static let files = lasting(FilesTable.make())
    private static let fileThumbs = lasting(FileThumbsTable.make())
    private static let crons = lasting(CronTable.make())
    private static let alerts = lasting(AlertsTable.make())
    private static let failures = lasting(FailureTable.make())
    private static let httpStreams = lasting(HTTPStreamTable.make())
    private static let changes = lasting(ChangesTable.make())

    /// Puts a table where it stays.
    private static func lasting<Table>(_ table: Table) -> TablePointer {
        let memory = UnsafeMutablePointer<Table>.allocate(capacity: 1)
        memory.initialize(to: table)
        return TablePointer(raw: UnsafeRawPointer(memory))
    }
}
