import Engine
import JSON
import Store
package import WebServer

/// `/api/collections…`: what superusers do with collections.
package struct CollectionRoutes: Sendable {
    let services: Services

    package init(services: Services) { self.services = services }

    package func mount(on router: Router) {
        let base = "/api/collections"
        let none = RouteOptions(body: .discard)
        router.add(.get, base, options: none, handler: services.superuserHandler(list))
        router.add(.post, base, handler: services.superuserHandler(create))
        router.add(.get, base + "/{collection}", options: none, handler: services.superuserHandler(view))
        router.add(.patch, base + "/{collection}", handler: services.superuserHandler(update))
        router.add(.delete, base + "/{collection}", options: none, handler: services.superuserHandler(delete))
        router.add(
            .delete, base + "/{collection}/truncate", options: none, handler: services.superuserHandler(truncate))
        router.add(.put, base + "/import", handler: services.superuserHandler(importAll))
        router.add(.get, base + "/meta/scaffolds", options: none, handler: services.superuserHandler(scaffolds))
        router.add(.post, base + "/meta/dry-run-view", handler: services.superuserHandler(dryRunView))
    }

    private func list(_ exchange: Exchange) {
        let schema = exchange.engine.schema
        exchange.listTable(
            SystemTable.collections, in: exchange.engine.data,
            row: { statement in schema.collection(id: statement.text(0)).map(CollectionCodec.json) })
    }

    private func view(_ exchange: Exchange) {
        guard let collection = exchange.engine.schema.collection(exchange.parameter("collection")) else {
            return exchange.fail(ServiceError.notFound())
        }
        exchange.json(CollectionCodec.json(collection))
    }

    /// The body as JSON; a form's members as an object.
    private func body(_ exchange: Exchange) throws -> JSON {
        .object(
            try BodyReader.object(
                exchange.request, .badRequest("Failed to load the submitted data due to invalid formatting.")))
    }

    private func create(_ exchange: Exchange) {
        do {
            let body = JSON.object(
                try BodyReader.object(
                    exchange.request,
                    .badRequest("Failed to load the collection type data due to invalid formatting.")))
            exchange.write(.badRequest("Failed to create collection.")) { transaction in
                let created = try exchange.engine.changeCollections(in: transaction) { try $0.create(body) }
                try exchange.engine.automigration?.record(from: nil, to: created, in: transaction)
                return created
            } then: {
                exchange.json(CollectionCodec.json($0))
            }
        } catch { exchange.fail(error) }
    }

    private func update(_ exchange: Exchange) {
        do {
            let name = exchange.parameter("collection")
            guard exchange.engine.schema.collection(name) != nil else { throw ServiceError.notFound() }
            let body = try body(exchange)
            exchange.write(.badRequest("Failed to update collection.")) { transaction in
                let (old, new) = try exchange.engine.changeCollections(in: transaction) { store in
                    guard let collection = store.schema.collection(name) else { throw ServiceError.notFound() }
                    return (collection, try store.update(collection, body))
                }
                try exchange.engine.automigration?.record(from: old, to: new, in: transaction)
                return new
            } then: {
                exchange.json(CollectionCodec.json($0))
            }
        } catch { exchange.fail(error) }
    }

    private func delete(_ exchange: Exchange) {
        let name = exchange.parameter("collection")
        let engine = exchange.engine
        guard engine.schema.collection(name) != nil else { return exchange.fail(ServiceError.notFound()) }
        exchange.write(.badRequest("Failed to delete collection")) { transaction in
            let deleted = try engine.changeCollections(in: transaction) { store in
                guard let collection = store.schema.collection(name) else { throw ServiceError.notFound() }
                do throws(CollectionError) {
                    try store.delete(collection)
                } catch { throw store.deleteFailure(collection, error) }
                return collection
            }
            try engine.automigration?.record(from: deleted, to: nil, in: transaction)
        } then: {
            exchange.noContent()
        }
    }

    private func truncate(_ exchange: Exchange) {
        let name = exchange.parameter("collection")
        let engine = exchange.engine
        guard let collection = engine.schema.collection(name) else { return exchange.fail(ServiceError.notFound()) }
        let saver = RecordSaver(schema: engine.schema, hooks: engine.hooks)
        exchange.write(.badRequest()) { transaction in
            let store = CollectionStore(
                engine.schemaEnvironment, schema: engine.schema, connection: transaction.connection)
            try store.truncate(collection) { id in
                guard let record = try transaction.connection.record(id: id, in: collection) else { return }
                try saver.delete(record, in: transaction)
            }
        } then: {
            exchange.noContent()
        }
    }

    private func importAll(_ exchange: Exchange) {
        do {
            let body = JSON.object(
                try BodyReader.object(
                    exchange.request, .badRequest("An error occurred while loading the submitted data.")))
            exchange.write(.badRequest("Failed to import collections.")) { transaction in
                try exchange.engine.changeCollections(in: transaction) { try $0.importCollections(request: body) }
            } then: {
                exchange.noContent()
            }
        } catch { exchange.fail(error) }
    }

    private func scaffolds(_ exchange: Exchange) {
        exchange.json(CollectionStore.scaffolds(types: exchange.engine.fieldTypes))
    }

    private func dryRunView(_ exchange: Exchange) {
        do {
            let body = try BodyReader.object(
                exchange.request, .badRequest("An error occurred while loading the submitted data."))
            let query = body["query"]?.stringValue ?? ""
            let invalid = "An error occurred while validating the submitted data."
            if query.isEmpty { throw ServiceError.validation(invalid, ["query": .required]) }
            if query.count > 5000 {
                throw ServiceError.validation(
                    invalid,
                    [
                        "query": FieldFailure(
                            "validation_length_too_long", "The length must be no more than 5000.",
                            params: ["max": 5000, "min": 0])
                    ])
            }
            exchange.work {
                do {
                    exchange.json(try dryRun(query, exchange.engine))
                } catch {
                    exchange.fail(
                        error, .badRequest("Invalid view query. Raw error: \n\(CollectionError(error).text)"))
                }
            }
        } catch { exchange.fail(error) }
    }

    /// Makes the view in a transaction that is undone, so that nothing of it stays.
    private func dryRun(_ query: String, _ engine: Engine) throws -> [UInt8] {
        struct Undo: Error {}
        var answer: [UInt8] = []
        do {
            try engine.data.writeAndWait { transaction in
                let connection = transaction.connection
                let dry = try ViewDryRun(
                    query, sampleSize: 10, schema: engine.schema, environment: engine.schemaEnvironment,
                    connection: connection)
                var writer = JSONWriter()
                writer.beginObject()
                writer.key(plain: "fields")
                writer.json(.array(dry.collection.fields.map(\.json)))
                writer.key(plain: "sample")
                writer.beginArray()
                for record in try connection.records(dry.sampleQuery, [], dry.collection) {
                    writer.record(record, showsHidden: true)
                }
                writer.endArray()
                writer.endObject()
                answer = writer.bytes
                throw Undo()
            }
        } catch is Undo {}
        return answer
    }
}
