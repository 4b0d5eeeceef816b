# The text of a lock -> its value. `file` is how messages call it.
#
# Nix reads no YAML. This takes what agent-sync writes, plain block YAML as other programs write it, and JSON: always
# less than agent-sync itself takes, and never with another meaning. Anything else throws, with the number of its line.
file: text:
let
  inherit (builtins)
    addErrorContext attrNames concatLists concatMap deepSeq elem elemAt filter foldl' fromJSON genList groupBy head
    isAttrs isList isString length listToAttrs map match replaceStrings seq split stringLength substring toString;

  maxDepth = 64; # as in agent-sync; deeper would end in a stack overflow
  maxLine = 16384; # the regular expressions of Nix recurse: some 100,000 bytes are a stack overflow

  fail = number: message: throw "${file}, line ${toString number}: ${message}";
  starts = prefix: s: substring 0 (stringLength prefix) s == prefix;
  drop = count: s: substring count (stringLength s) s;

  # -- lines -----------------------------------------------------------------------------------------------------------

  raw = filter isString (split "\n" (replaceStrings [ "\r\n" ] [ "\n" ] text));
  isPlain = length (split "[^ -~\n]" text) == 1;

  # What editors and terminals do not show, and what some readers take for the end of a line: only escaped.
  digits = [ "0" "1" "2" "3" "4" "5" "6" "7" "8" "9" "a" "b" "c" "d" "e" "f" ];
  hidden = map (code: fromJSON ''"\u${code}"'') (
    concatMap (high: map (low: "00${high}${low}") digits) [ "8" "9" ]
    ++ [ "2028" "2029" "202a" "202b" "202c" "202d" "202e" "2066" "2067" "2068" "2069" "feff" "fffe" "ffff" ]
  );
  nothing = map (_: "") hidden;

  # Whatever is not ASCII is UTF-8 without hidden characters; `fromJSON` throws for other bytes.
  checked = number: s:
    if stringLength s > maxLine then fail number "the line is longer than ${toString maxLine} bytes"
    else if isPlain || match "[ -~]*" s != null then s
    else if match "[^[:cntrl:]]*" s == null then fail number "a tab or another control character"
    else if replaceStrings hidden nothing s != s then fail number "a hidden character"
    else seq (addErrorContext "${file}, line ${toString number}: not UTF-8" (fromJSON ''"${escaped s}"'')) s;
  escaped = replaceStrings [ "\\" "\"" ] [ "\\\\" "\\\"" ];

  # A line: its number, how far it is indented, and what follows.
  toLine = index:
    let
      number = index + 1;
      parts = match "( *)(.*)" (checked number (elemAt raw index));
    in
    { inherit number; indent = stringLength (head parts); content = elemAt parts 1; };

  isContent = line: line.content != "" && !(starts "#" line.content);
  allLines = filter isContent (genList toLine (length raw));
  isMarked = allLines != [ ] && match "--- *" (head allLines).content != null;
  lines = if isMarked then slice 1 (length allLines) allLines else allLines;

  slice = from: to: list: genList (k: elemAt list (from + k)) (to - from);

  # -- single values ---------------------------------------------------------------------------------------------------

  hex = "[0-9A-Fa-f]";
  # Neither NUL, which ends a Nix string, nor half of a surrogate pair.
  unicode = "u(000[1-9A-Fa-f]|00[1-9A-Fa-f]${hex}|0[1-9A-Fa-f]${hex}{2}|[1-9A-CEFa-cef]${hex}{3}|[Dd][0-7]${hex}{2})";
  inQuotes = ''"([^"\\]|\\(["\\/bfnrt]|${unicode}))*"'';
  afterwards = "( *| +#.*)";

  quoted = line: s:
    let
      simple = match ''"([^"\\]*)" *'' s;
      whole = match "(${inQuotes})${afterwards}" s;
    in
    if simple != null then head simple
    else if whole != null then fromJSON (head whole)
    else fail line.number "text in double quotes that JSON would not take, or something behind it";

  apostrophes = line: s:
    let whole = match "'(([^']|'')*)'${afterwards}" s; in
    if whole == null then fail line.number "text in single quotes that does not end, or something behind it"
    else replaceStrings [ "''" ] [ "'" ] (head whole);

  # Without quotes. What YAML 1.1, YAML 1.2 and agent-sync could read as different things is none of them.
  numbers = "[-+]?[.]?[0-9][0-9_]*([.eE:][-+0-9_.eE:]*)?|[-+]?0[xXoObB][0-9A-Fa-f_]+";
  versions = "[0-9]+[.][0-9]+[.].*";
  endless = "[-+]?[.]([iI][nN][fF]|[nN][aA][nN])";
  words = "([yYnN]|[yY][eE][sS]|[nN][oO]|[oO][nN]|[oO][fF][fF]|[nN][uU][lL][lL]|[tT][rR][uU][eE]|[fF][aA][lL][sS][eE])";
  # No larger than what a double holds: for more `fromJSON` throws without a line.
  exponent = "([+]([0-2]?[0-9]{1,2}|30[0-7])|-[0-9]{1,3})";
  decimal =
    "-?(0|[1-9][0-9]*)[.][0-9]+|-?[0-9][.][0-9]+e${exponent}|-?1[.]([0-6][0-9]*|7976931348623157)e[+]308";

  # Nearly every word: too long for any of those, and of characters that mean nothing.
  plainly = "[A-Za-z_/][A-Za-z0-9_./@+()=,:~-]{4,}[A-Za-z0-9_./@+()=,~-]";

  word = line: s: if match plainly s != null then s else unusualWord line s;
  unusualWord = line: s:
    let
      t = head (match "(.*[^ ]) *" (head (split " +#" s)));
      fits = pattern: match pattern t != null;
    in
    if elem t [ "null" "~" ] then null
    else if t == "true" || t == "false" then t == "true"
    else if isWhole t || stringLength t <= 40 && fits decimal then fromJSON t
    else if !(fits "[A-Za-z0-9_./(+][ -~]*") || fits ".*(: .*|:)" || starts "..." t || fits words || fits endless
      || fits numbers && !(fits versions)
    then fail line.number "`${t}` is ambiguous without quotes, or not read here"
    else t;

  # A whole number of 64 bits: of a larger one `fromJSON` makes another.
  isWhole = t:
    let parts = match "-?(0|[1-9][0-9]*)" t; in
    t == "-9223372036854775808"
    || parts != null && (stringLength (head parts) < 19
      || stringLength (head parts) == 19 && head parts <= "9223372036854775807");

  scalar = line: s:
    let first = substring 0 1 s; in
    if first == "\"" then quoted line s
    else if first == "'" then apostrophes line s
    else if first == "[" && match "[[][]]${afterwards}" s != null then [ ]
    else if first == "{" && match "[{][}]${afterwards}" s != null then { }
    else word line s;

  # -- mappings and lists ----------------------------------------------------------------------------------------------

  isItem = line: line.content == "-" || starts "- " line.content;
  isLongKey = line: starts "? " line.content;

  # The key that a line begins with, and what follows the colon; null where it begins with none.
  plainKey = "([A-Za-z0-9_./(+]([A-Za-z0-9_./@+(),=~ -]*[A-Za-z0-9_./@+(),=~-])?):( +(.*))?";
  keyOf = line:
    let
      plain = match plainKey line.content;
      other = match "(${inQuotes}):( +(.*))?" line.content;
      rest = parts: from: let found = elemAt parts from; in if found == null then "" else found;
    in
    if starts "\"" line.content then
      if other == null then null else { name = quoted line (head other); rest = rest other (length other - 1); }
    else if plain == null then null
    else { name = textOf line (word line (head plain)); rest = rest plain 3; };

  textOf = line: value: if isString value then value else fail line.number "a key must be text";

  # What belongs to `line`: the text behind its key or dash, or the lines below it.
  value = depth: line: rest: below:
    if rest == "" || starts "#" rest then if below == [ ] then null else block depth below
    else if below != [ ] then fail (head below).number "indented further than the line before allows"
    else scalar line rest;

  # The value that `given` lines spell: those that are indented least begin its parts.
  block = depth: given:
    let
      first = head given;
      isSequence = isItem first;
      begins = line: line.indent == first.indent && (isSequence || !isItem line);
      count = length given;
      starters = filter (index: begins (elemAt given index)) (genList (index: index) count);
      part = index:
        let
          from = elemAt starters index;
          to = if index + 1 < length starters then elemAt starters (index + 1) else count;
        in
        { line = elemAt given from; below = slice (from + 1) to given; };
      parts = genList part (length starters);
      outdented = filter (line: line.indent < first.indent) given;
    in
    if depth > maxDepth then fail first.number "nested more than ${toString maxDepth} levels deep"
    else if outdented != [ ] then fail (head outdented).number "indented less than the lines around it"
    else if isSequence then map (item depth) parts
    else mapping depth parts;

  item = depth: { line, below }:
    let
      parts = match "-( +)?(.*)" line.content;
      rest = elemAt parts 1;
      before = stringLength line.content - stringLength rest;
      inner = { inherit (line) number; indent = line.indent + before; content = rest; };
      isBlock = rest != "" && (isItem inner || isLongKey inner || keyOf inner != null);
    in
    if !isItem line then fail line.number "a list and something else are mixed"
    else if isBlock then block (depth + 1) ([ inner ] ++ below)
    else value (depth + 1) line rest below;

  mapping = depth: parts:
    let
      at = elemAt parts;
      entry = index:
        let
          inherit (at index) line below;
          key = keyOf line;
        in
        if isLongKey line then longEntry line below (index + 1)
        else if isAnswer line && index > 0 && isLongKey (at (index - 1)).line then [ ]
        else if key == null then fail line.number "a key and a colon are expected here"
        else [ { inherit line; inherit (key) name; value = value (depth + 1) line key.rest below; } ];
      # `? key`, for keys that are too long to stand before a colon, and `: value` on the next line.
      longEntry = line: below: next:
        let
          answer = at next;
          rest = elemAt (match ":( +)?(.*)" answer.line.content) 1;
        in
        if below != [ ] || next >= length parts || !isAnswer answer.line then
          fail line.number "`: ` is missing behind a long key"
        else [ {
          inherit line;
          name = quoted line (drop 2 line.content);
          value = value (depth + 1) answer.line rest answer.below;
        } ];
      entries = concatLists (genList entry (length parts));
      attrs = listToAttrs entries;
    in
    if length (attrNames attrs) == length entries then attrs else duplicate entries;

  isAnswer = line: line.content == ":" || starts ": " line.content;

  duplicate = entries:
    let
      byName = groupBy (entry: entry.name) entries;
      twice = head (filter (same: length same > 1) (map (name: byName.${name}) (attrNames byName)));
      second = elemAt twice 1;
    in
    fail second.line.number "the key `${second.name}` is here a second time";

  # -- JSON ------------------------------------------------------------------------------------------------------------

  # `fromJSON` keeps one of two equal keys and cuts text at NUL, so keys are counted, and NUL is looked for.
  json =
    let
      parsed = fromJSON text;
      pieces = split "\"(([^\"\\\\]|\\\\.)*)\"" text;
      isKey = index: isList (elemAt pieces index) && isColon (elemAt pieces (index + 1));
      isColon = piece: match "[[:space:]]*:.*" (substring 0 64 piece) != null;
      keys = length (filter isKey (genList (index: index) (length pieces)));
      counted = found:
        if isAttrs found then length (attrNames found) + total (map (name: found.${name}) (attrNames found))
        else if isList found then total found
        else 0;
      total = foldl' (sum: found: sum + counted found) 0;
      withoutBackslashes = replaceStrings [ "\\\\" ] [ "" ] text;
    in
    if seq parsed (replaceStrings [ "\\u0000" ] [ "" ] withoutBackslashes) != withoutBackslashes then
      throw "${file}: JSON with a NUL character"
    else if keys != counted parsed then throw "${file}: JSON in which a key stands twice"
    else parsed;

  everyLine = foldl' (_: line: seq line.content null) null (genList toLine (length raw));
  whole =
    if lines == [ ] then throw "${file} is empty"
    else if match "[ \n]*[{].*" (substring 0 256 text) != null then seq everyLine json
    else if isItem (head lines) then fail (head lines).number "the file is not a mapping"
    else block 1 lines;
in
deepSeq whole whole
