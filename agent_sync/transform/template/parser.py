"""Parse a file into its bodies of text, actions, branches and ranges, and the templates that it defines."""

from __future__ import annotations

from agent_sync.transform.template.budget import Budget, Meter, OverBudget
from agent_sync.transform.template.errors import TemplateError, as_error, as_limit_error, quoted_token
from agent_sync.transform.template.expressions import PipelineParser, string_of
from agent_sync.transform.template.lexer import Token, TokenKind, TokenStream, unexpected
from agent_sync.transform.template.nodes import (
    MAIN,
    Action,
    Body,
    Branch,
    Break,
    Clause,
    Continue,
    Invoke,
    Node,
    Pipe,
    Range,
    Template,
    Text,
)
from agent_sync.transform.template.values import is_whole, size_bytes


def parse(text: str, *, file: str, budget: Budget | None = None) -> Template:
    """Parse `text`; `file` is its name in errors.

    Raises:
        TransformFailed: it is not in the template language.
        LimitExceeded: it is larger or nests deeper than `budget` allows.
    """
    meter = Meter(budget or Budget())
    stream = TokenStream(text, meter)
    definitions = _Definitions()
    try:
        # Such text cannot come from a file, but from a value in the configuration.
        if not is_whole(text):
            raise TemplateError("the file has a lone surrogate, which no encoding can hold", position=0)
        _BodyParser(stream, meter, definitions).file()
    except TemplateError as error:
        raise as_error(error, file=file, text=text, position=stream.last) from error
    except OverBudget as error:
        raise as_limit_error(str(error), file=file, text=text, position=stream.last) from error
    except RecursionError as error:  # a budget deeper than the stack that is left
        raise as_limit_error("the template nests too deeply", file=file, text=text, position=stream.last) from error
    return Template(file, text, definitions.bodies)


class _Definitions:
    """The bodies by name; of two with one name, the one that holds more than space."""

    def __init__(self) -> None:
        self.bodies: dict[str, Body] = {}
        self._full: set[str] = set()

    def add(self, name: str, body: Body, position: int) -> None:
        """Keep `body` under `name`.

        Raises:
            TemplateError: both that body and an earlier one hold more than space.
        """
        # As in Go, a blank definition replaces nothing and gives way to any other.
        blank = _is_blank(body)
        if name not in self._full:
            self.bodies[name] = body
        elif not blank:
            raise TemplateError(f"the template {quoted_token(name)} is defined twice", position=position)
        if not blank:
            self._full.add(name)


class _BodyParser:
    """The parser of one body, which has its own variables and ranges: a `define` sees nothing of what is around it."""

    def __init__(self, stream: TokenStream, meter: Meter, definitions: _Definitions) -> None:
        self._stream = stream
        self._meter = meter
        self._definitions = definitions
        self._pipelines = PipelineParser(stream, meter)
        self._ranges = 0

    def file(self) -> None:
        """Parse the whole file; only here `define` may be."""
        nodes: list[Node] = []
        while (token := self._stream.take_nonspace()).kind is not TokenKind.END:
            if token.kind is TokenKind.OPEN:
                keyword = self._stream.take_nonspace()
                if _is(keyword, "define"):
                    # A new parser, since variables and ranges of this body are not those of the template.
                    _BodyParser(self._stream, self._meter, self._definitions)._definition(token)
                    continue
                self._stream.put_back(keyword)
            node = self._node(token)
            if isinstance(node, Token):
                raise TemplateError(f"{{{{{node.text}}}}} belongs to no block", position=node.position)
            nodes.append(node)
        self._definitions.add(MAIN, tuple(nodes), 0)

    def _definition(self, opening: Token) -> None:
        name = self._stream.expect(TokenKind.STRING, TokenKind.RAW, where="after define, where a quoted name is due")
        self._stream.expect(TokenKind.CLOSE, where="in define")
        self._definitions.add(_name(name), self._whole_body("define", opening), opening.position)

    def _body(self, keyword: str, opening: Token) -> tuple[Body, Token]:
        """Parse everything up to `{{end}}` or `{{else`, and return that token too. `opening` is what must be closed."""
        self._meter.enter()
        nodes: list[Node] = []
        while (token := self._stream.take_nonspace()).kind is not TokenKind.END:
            node = self._node(token)
            if isinstance(node, Token):
                self._meter.leave()
                return tuple(nodes), node
            nodes.append(node)
        raise TemplateError(f"{{{{{keyword}}}}} is never closed with {{{{end}}}}", position=opening.position)

    def _whole_body(self, keyword: str, opening: Token) -> Body:
        """Parse everything up to `{{end}}`."""
        body, end = self._body(keyword, opening)
        if end.text != "end":
            raise TemplateError(f"{{{{{end.text}}}}} cannot be here, in {keyword}", position=end.position)
        return body

    def _node(self, token: Token) -> Node | Token:
        """Parse the node that starts with `token`; return the token itself for `end` and `else`."""
        if token.kind is TokenKind.TEXT:
            return Text(token.text, size_bytes(token.text))
        if token.kind is not TokenKind.OPEN:
            raise unexpected(token, "here")
        keyword = self._stream.take_nonspace()
        if keyword.kind is TokenKind.KEYWORD and keyword.text != "define":
            return self._control(keyword, token)
        self._stream.put_back(keyword)
        return Action(self._pipelines.pipeline("an action"))

    def _control(self, keyword: Token, opening: Token) -> Node | Token:
        match keyword.text:
            case "if" | "with":
                return self._branch(keyword.text, opening)
            case "range":
                return self._range(opening)
            case "template":
                return self._invoke()
            case "block":
                return self._block(opening)
            case "break" | "continue":
                return self._leap(keyword)
            case "else":
                if not self._continues_as(("if", "with")):
                    self._stream.expect(TokenKind.CLOSE, where="after else")
            case _:
                self._stream.expect(TokenKind.CLOSE, where="after end")
        return Token(keyword.kind, keyword.text, opening.position)

    def _branch(self, keyword: str, opening: Token) -> Branch:
        """Parse all of `if` or `with`, a chain of `else if` in one loop: such chains grow long."""
        mark = self._pipelines.variables.mark()
        clauses: list[Clause] = []
        otherwise: Body = ()
        while True:
            pipe = self._pipelines.pipeline(keyword)
            body, end = self._body(keyword, opening)
            clauses.append(Clause(pipe, body))
            if end.text == "end":
                break
            if not self._continues_as((keyword,)):
                otherwise = self._whole_body("else", end)
                break
            self._stream.take_nonspace()
        self._pipelines.variables.forget(mark)
        return Branch(keyword == "with", tuple(clauses), otherwise)

    def _range(self, opening: Token) -> Range:
        mark = self._pipelines.variables.mark()
        pipe = self._pipelines.pipeline("range")
        # As in Go, the `else` counts as outside of the range here.
        self._ranges += 1
        body, end = self._body("range", opening)
        self._ranges -= 1
        otherwise = self._whole_body("else", end) if end.text == "else" else ()
        self._pipelines.variables.forget(mark)
        return Range(pipe, body, otherwise)

    def _continues_as(self, keywords: tuple[str, ...]) -> bool:
        """Tell whether one of the keywords follows, as `if` in `else if`."""
        token = self._stream.peek_nonspace()
        return token.kind is TokenKind.KEYWORD and token.text in keywords

    def _invoke(self) -> Invoke:
        name = self._stream.expect(TokenKind.STRING, TokenKind.RAW, where="after template, where a quoted name is due")
        token = self._stream.take_nonspace()
        pipe: Pipe | None = None
        if token.kind is not TokenKind.CLOSE:
            self._stream.put_back(token)
            pipe = self._pipelines.pipeline("template")
        return Invoke(_name(name), pipe, name.position)

    def _block(self, opening: Token) -> Invoke:
        token = self._stream.expect(TokenKind.STRING, TokenKind.RAW, where="after block, where a quoted name is due")
        name = _name(token)
        pipe = self._pipelines.pipeline("block")
        body = _BodyParser(self._stream, self._meter, self._definitions)._whole_body("block", opening)
        self._definitions.add(name, body, opening.position)
        return Invoke(name, pipe, token.position)

    def _leap(self, keyword: Token) -> Break | Continue:
        self._stream.expect(TokenKind.CLOSE, where=f"after {keyword.text}")
        if not self._ranges:
            raise TemplateError(f"{{{{{keyword.text}}}}} is outside of any range", position=keyword.position)
        return Break() if keyword.text == "break" else Continue()


# What Go's unicode.IsSpace takes for space; Python's own strip() also takes U+001C to U+001F.
_GO_SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def _is(token: Token, keyword: str) -> bool:
    return token.kind is TokenKind.KEYWORD and token.text == keyword


def _is_blank(body: Body) -> bool:
    """Tell whether a body is nothing but space, and so is replaced by another definition of its name."""
    return all(isinstance(node, Text) and not node.text.strip(_GO_SPACES) for node in body)


def _name(token: Token) -> str:
    """Return the name in quotes after define, template and block."""
    try:
        return string_of(token.text)
    except TemplateError as error:
        raise TemplateError(error.check, position=token.position) from error
