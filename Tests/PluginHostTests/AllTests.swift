import Testing

/// All tests of the room, one after the other: the handle tables belong to the process, and some tests count in them.
@Suite("Plugin host", .serialized)
enum AllTests {}
