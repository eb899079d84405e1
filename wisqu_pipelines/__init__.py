"""The life of Wisqu's data in its environments: promotion, verification, rollback and their audit."""
