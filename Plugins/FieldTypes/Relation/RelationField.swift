// Relation
