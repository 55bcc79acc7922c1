"""The operators after `|`, one small function each. What the language has and we do not is refused by name."""

from collections.abc import Callable

from guardship.workspace.kql import syntax
from guardship.workspace.kql.errors import UnknownOperator, Unsupported, nearest
from guardship.workspace.kql.parse_expressions import ExpressionParser
from guardship.workspace.kql.tokens import Token, TokenKind
from guardship.workspace.kql.types import KqlType, type_named

OTHERS = {
    "as": "name a table with let instead",
    "consume": "use count",
    "evaluate": None,
    "externaldata": None,
    "facet": "use summarize count() by",
    "find": "use union and where",
    "fork": "run the queries one after the other",
    "getschema": None,
    "graph-match": None,
    "invoke": None,
    "make-graph": None,
    "make-series": "use summarize by bin()",
    "macro-expand": None,
    "mv-apply": "use mv-expand, then summarize",
    "parse": "use extend with extract()",
    "parse-kv": "use extend with extract()",
    "parse-where": "use where with matches regex, then extract()",
    "partition": None,
    "reduce": None,
    "sample": "use take",
    "sample-distinct": "use distinct, then take",
    "scan": None,
    "search": "use where with has",
    "serialize": None,
    "top-hitters": "use summarize count() by, then top",
    "top-nested": "use summarize, then top",
}
_JOIN_KINDS = frozenset(
    [
        "inner",
        "innerunique",
        "leftouter",
        "rightouter",
        "fullouter",
        "leftanti",
        "anti",
        "leftantisemi",
        "rightanti",
        "rightantisemi",
        "leftsemi",
        "rightsemi",
    ]
)
_SAME_KIND = {"anti": "leftanti", "leftantisemi": "leftanti", "rightantisemi": "rightanti"}


class OperatorParser(ExpressionParser):
    def operator(self) -> syntax.Operator:
        word = self.cursor.token
        if word.kind is not TokenKind.NAME:
            raise self.cursor.unexpected("the name of an operator")
        parse = self._parsers().get(word.text)
        if parse is None:
            raise self._refused(word)
        self.cursor.take()
        return parse(word)

    def _parsers(self) -> dict[str, Callable[[Token], syntax.Operator]]:
        return {
            "where": self._where,
            "filter": self._where,
            "project": self._project,
            "extend": self._extend,
            "project-away": self._project_names,
            "project-keep": self._project_names,
            "project-reorder": self._project_names,
            "project-rename": self._project_rename,
            "summarize": self._summarize,
            "sort": self._sort,
            "order": self._sort,
            "take": self._take,
            "limit": self._take,
            "top": self._top,
            "count": self._count,
            "distinct": self._distinct,
            "union": self.union,
            "join": self._join,
            "lookup": self._join,
            "mv-expand": self._mv_expand,
            "mvexpand": self._mv_expand,
            "render": self._render,
        }

    def _refused(self, word: Token) -> Exception:
        span = self.cursor.span_of(word)
        if word.text in OTHERS:
            return Unsupported(f"the operator {word.text}", span, OTHERS[word.text])
        return UnknownOperator(word.text, span, nearest(word.text, self._parsers()))

    def items(self) -> tuple[syntax.Item, ...]:
        items = [self._item()]
        while self.cursor.accept(","):
            items.append(self._item())
        return tuple(items)

    def _item(self) -> syntax.Item:
        start = self.cursor.token.start
        if (
            self.cursor.at("(")
            and self.cursor.ahead(2).text in (",", ")")
            and self.cursor.ahead().kind is TokenKind.NAME
            and self._names_row()
        ):
            raise Unsupported("naming several results at once", self.cursor.span_of(self.cursor.token))
        name = None
        if self._names_follow():
            name = self.cursor.expect_name("a name").text
            self.cursor.expect("=")
        expression = self.expression()
        return syntax.Item(name, expression, self.cursor.span_from(start))

    def _names_row(self) -> bool:
        count = 1
        while self.cursor.ahead(count).kind is TokenKind.NAME or self.cursor.ahead(count).text == ",":
            count += 1
        return self.cursor.ahead(count).text == ")" and self.cursor.ahead(count + 1).text == "="

    def _names_follow(self) -> bool:
        """Whether `name =` or `['name'] =` stands here."""
        if self.cursor.at_name():
            return self.cursor.ahead().text == "=" and self.cursor.ahead().kind is TokenKind.MARK
        return self.cursor.at("[") and self.cursor.ahead(2).text == "]" and self.cursor.ahead(3).text == "="

    def _where(self, word: Token) -> syntax.Operator:
        predicate = self.expression()
        return syntax.Where(predicate, self.cursor.span_from(word.start))

    def _project(self, word: Token) -> syntax.Operator:
        items = self.items()
        return syntax.Project(items, self.cursor.span_from(word.start))

    def _extend(self, word: Token) -> syntax.Operator:
        items = self.items()
        return syntax.Extend(items, self.cursor.span_from(word.start))

    def _project_names(self, word: Token) -> syntax.Operator:
        patterns = [self._pattern()]
        while self.cursor.accept(","):
            patterns.append(self._pattern())
        return syntax.ProjectNames(word.text, tuple(patterns), self.cursor.span_from(word.start))

    def _pattern(self) -> syntax.Name:
        """A name that may hold stars, such as `Target*`; the lexer gives it in pieces that touch."""
        if self.cursor.at("["):
            token = self.cursor.expect_name("a column")
            return syntax.Name(token.text, self.cursor.span_of(token))
        start = self.cursor.token.start
        if not (self.cursor.at_name() or self.cursor.at("*")):
            raise self.cursor.unexpected("a column")
        end = start
        while self.cursor.token.start == end and (self.cursor.at_name() or self.cursor.at("*") or self.cursor.token.kind is TokenKind.LONG):
            end = self.cursor.take().end
        if self.cursor.at("asc", "desc", "granny-asc", "granny-desc"):
            raise Unsupported("sorting columns by name", self.cursor.span_of(self.cursor.token))
        return syntax.Name(self.cursor.text[start:end], self.cursor.span_from(start))

    def _project_rename(self, word: Token) -> syntax.Operator:
        pairs = [self._rename()]
        while self.cursor.accept(","):
            pairs.append(self._rename())
        return syntax.ProjectRename(tuple(pairs), self.cursor.span_from(word.start))

    def _rename(self) -> tuple[syntax.Name, syntax.Name]:
        new = self.cursor.expect_name("the new name of a column")
        self.cursor.expect("=", "between the new name and the old")
        old = self.cursor.expect_name("the old name of a column")
        return syntax.Name(new.text, self.cursor.span_of(new)), syntax.Name(old.text, self.cursor.span_of(old))

    def _summarize(self, word: Token) -> syntax.Operator:
        self._skip_hints()
        aggregates: tuple[syntax.Item, ...] = ()
        if not self.cursor.at("by"):
            aggregates = self.items()
        keys: tuple[syntax.Item, ...] = ()
        by = self.cursor.accept("by")
        if by:
            keys = self.items()
        return syntax.Summarize(aggregates, keys, by is not None, self.cursor.span_from(word.start))

    def _sort(self, word: Token) -> syntax.Operator:
        self._skip_hints()
        self.cursor.expect("by", f"after {word.text}")
        keys = [self._sort_key()]
        while self.cursor.accept(","):
            keys.append(self._sort_key())
        return syntax.Sort(tuple(keys), self.cursor.span_from(word.start))

    def _sort_key(self) -> syntax.SortKey:
        start = self.cursor.token.start
        expression = self.expression()
        direction = self.cursor.accept("asc", "desc")
        nulls_first = None
        if self.cursor.accept("nulls"):
            if not self.cursor.at("first", "last"):
                raise self.cursor.unexpected("first or last")
            nulls_first = self.cursor.take().text == "first"
        is_descending = direction is None or direction.text == "desc"
        return syntax.SortKey(expression, is_descending, nulls_first, self.cursor.span_from(start))

    def _take(self, word: Token) -> syntax.Operator:
        count = self.expression()
        return syntax.Take(count, self.cursor.span_from(word.start))

    def _top(self, word: Token) -> syntax.Operator:
        count = self.expression()
        self.cursor.expect("by", "after the number of rows")
        key = self._sort_key()
        return syntax.Top(count, key, self.cursor.span_from(word.start))

    def _count(self, word: Token) -> syntax.Operator:
        name = self.cursor.expect_name("a name").text if self.cursor.accept("as") else None
        return syntax.Count(name, self.cursor.span_from(word.start))

    def _distinct(self, word: Token) -> syntax.Operator:
        self._skip_hints()
        star = self.cursor.accept("*")
        items = () if star else self.items()
        return syntax.Distinct(items, self.cursor.span_from(word.start))

    def union(self, word: Token) -> syntax.Union:
        options = self._options({"kind", "withsource", "isfuzzy"})
        inputs = [self._table_argument()]
        while self.cursor.accept(","):
            inputs.append(self._table_argument())
        return syntax.Union(
            tuple(inputs),
            options.get("kind", "outer"),
            options.get("withsource"),
            options.get("isfuzzy") == "true",
            self.cursor.span_from(word.start),
        )

    def _table_argument(self) -> syntax.Pipeline:
        start = self.cursor.token.start
        if self.cursor.accept("("):
            inner = self.pipeline()
            self.cursor.expect(")")
            return inner
        name = self.cursor.expect_name("a table")
        if self.cursor.at("*"):
            raise Unsupported("a wildcard in the name of a table", self.cursor.span_of(self.cursor.token), "name each table")
        if self.cursor.at("("):
            raise Unsupported(f"the table function {name.text}", self.cursor.span_of(name))
        return syntax.Pipeline(syntax.Name(name.text, self.cursor.span_of(name)), (), self.cursor.span_from(start))

    def _join(self, word: Token) -> syntax.Operator:
        is_lookup = word.text == "lookup"
        options = self._options({"kind", "flags"})
        kind = options.get("kind", "leftouter" if is_lookup else "innerunique")
        if kind not in _JOIN_KINDS:
            raise UnknownOperator(f"{word.text} kind={kind}", self.cursor.span_of(word), nearest(kind, _JOIN_KINDS))
        right = self._table_argument()
        self.cursor.expect("on", "after the right side")
        conditions = [self.expression()]
        while self.cursor.accept(","):
            conditions.append(self.expression())
        return syntax.Join(_SAME_KIND.get(kind, kind), is_lookup, right, tuple(conditions), self.cursor.span_from(word.start))

    def _options(self, known: set[str]) -> dict[str, str]:
        """`kind=inner hint.strategy=shuffle`: hints are read and left aside."""
        found: dict[str, str] = {}
        while (self._names_follow() and self._is_option(known)) or self.cursor.at("hint"):
            name = self.cursor.take()
            if name.text == "hint":
                self.cursor.expect(".")
                self.cursor.take()
            self.cursor.expect("=")
            value = self.cursor.take()
            found[name.text] = value.text
        return found

    def _is_option(self, known: set[str]) -> bool:
        return self.cursor.token.text in known

    def _skip_hints(self) -> None:
        if self.cursor.at("hint"):
            self._options(set())

    def _mv_expand(self, word: Token) -> syntax.Operator:
        if word.text == "mvexpand":
            raise Unsupported("the operator mvexpand", self.cursor.span_of(word), "use mv-expand")
        options = self._options({"bagexpansion", "with_itemindex", "kind"})
        if options.keys() & {"bagexpansion", "kind"}:
            raise Unsupported("mv-expand bagexpansion", self.cursor.span_of(word))
        items = [self._expanded()]
        while self.cursor.accept(","):
            items.append(self._expanded())
        if self.cursor.at("limit"):
            raise Unsupported("mv-expand limit", self.cursor.span_of(self.cursor.token), "use take")
        return syntax.MvExpand(tuple(items), options.get("with_itemindex"), self.cursor.span_from(word.start))

    def _expanded(self) -> syntax.Expanded:
        item = self._item()
        to_type: KqlType | None = None
        if self.cursor.accept("to"):
            self.cursor.expect("typeof")
            self.cursor.expect("(")
            to_type = self.type_name()
            self.cursor.expect(")")
        return syntax.Expanded(item.name, item.expression, to_type, self.cursor.span_from(item.span.start))

    def type_name(self) -> KqlType:
        token = self.cursor.expect_name("the name of a type")
        kind = type_named(token.text)
        if kind is None:
            raise UnknownOperator(f"type {token.text}", self.cursor.span_of(token), nearest(token.text, list(KqlType)))
        return kind

    def _render(self, word: Token) -> syntax.Operator:
        name = self.cursor.expect_name("the kind of chart").text
        if self.cursor.accept("with"):
            self.cursor.expect("(", "after with")
            while not self.cursor.accept(")"):
                if self.cursor.take().kind is TokenKind.END:
                    raise self.cursor.unexpected(")")
        return syntax.Render(name, self.cursor.span_from(word.start))
