"""What is known of one thing: all its columns, with what they refer to by name. Secrets are never shown."""

from typing import TYPE_CHECKING, Any

from headrace.cli.network.tables import show_facts

if TYPE_CHECKING:
    from headrace.network.book import View
    from headrace.network.model import Entity

__all__ = ["facts_of", "show_entity"]


def show_entity(view: "View", entity: "Entity", as_json: bool, **more: Any) -> None:
    """Print the facts of an entity, those of `more` before the rest."""
    facts = facts_of(view, entity, **more)
    if not as_json:  # a port is a name: nobody groups its digits, and 0 is none
        facts = {name: _ports(value) if "port" in name else value for name, value in facts.items()}
    show_facts(facts, as_json)


def facts_of(view: "View", entity: "Entity", **more: Any) -> dict[str, Any]:
    """Return the facts of an entity by name, those of `more` before the rest; of secrets, which there are."""
    columns = entity.__table__.columns
    names = [name for name in columns.keys() if name not in ("id", "revision")]
    facts: dict[str, Any] = dict(more)
    for name in names:
        value = getattr(entity, name)
        if columns[name].foreign_keys:
            facts[name.removesuffix("_id")] = _name_at(view, columns[name], value)
        else:
            facts.setdefault(name, value)
    facts["secrets"] = sorted(view.secrets(entity))
    facts["revision"] = entity.revision
    return facts


def _name_at(view: "View", column: Any, value: Any) -> str | None:
    """Return the name of the entity that a column refers to; None where it refers to nothing."""
    from headrace.network.book.change import name_of
    from headrace.network.model import Base, Entity

    table = next(iter(column.foreign_keys)).column.table
    kind = next(each.class_ for each in Base.registry.mappers if each.local_table is table)
    assert issubclass(kind, Entity)
    found = view.session.get(kind, value) if value is not None else None
    return None if found is None else name_of(found)


def _ports(value: Any) -> Any:
    match value:
        case dict():
            return {name: _ports(each) for name, each in value.items()}
        case list():
            return [_ports(each) for each in value]
        case int():
            return str(value) if value else ""
    return value
