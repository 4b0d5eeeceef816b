# What files, directories and store paths may be called. A lock may come from anybody; a name must not lead anywhere else.
let
  inherit (builtins)
    attrNames concatStringsSep elemAt filter fromJSON head isString length match split stringLength substring toJSON;
  refuse = import ./refuse.nix;

  maxBytes = 4096; # agent-sync allows 1,024 characters
  usual = "[A-Za-z0-9_@+=,-][A-Za-z0-9_@+=,.-]*";

  isSafe = path:
    stringLength path <= maxBytes
    && (match "${usual}(/${usual})*" path != null || isUnusualButSafe path);
  isUnusualButSafe = path:
    match ".*/([.]{0,2}|[.][gG][iI][tT][. ]*)/.*" "/${path}/" == null # no empty name, no `.`, no `..`, nothing of git's
    && match "[^[:cntrl:]\\]*" path != null;

  # The last segment of an address as it stands there, behind the host if there is one.
  lastSegment = url:
    let
      path = head (match "([^?#]*).*" url);
      segments = filter (each: isString each && each != "") (split "/+" path);
    in
    if segments == [ ] then "" else elemAt segments (length segments - 1);
in
{
  # The attribute set, if each of its keys names a file below a directory, and none of git's.
  safeKeys = what: set:
    let unsafe = filter (key: !isSafe key) (attrNames set); in
    if unsafe == [ ] then set
    else
      refuse what "the name ${toJSON (head unsafe)} would leave its directory, or is not allowed"
        "do not use this lock: agent-sync writes no such name";

  # A directory as locks write it (`./agents/`), without what stands around its names; "" is the directory itself.
  directoryOf = what: text:
    let
      inside = elemAt (match "([.]/+)*(.*[^/])?/*" text) 1;
      plain = if inside == null || inside == "." then "" else inside;
    in
    if plain == "" && substring 0 1 text != "/" then ""
    else if isSafe plain then plain
    else
      refuse what "the path ${toJSON text} would leave the project"
        "use a cache, or from = \"store\": they have the bytes";

  below = directory: key: if directory == "" then key else "${directory}/${key}";

  # What the file at an address is called in a Nix store; agent_sync/nix/store_paths.py says the same.
  storeName = url:
    let
      plain = concatStringsSep "-" (filter isString (split "[^A-Za-z0-9+._?=-]" (lastSegment url)));
      short = substring 0 200 plain;
    in
    if short == "" || substring 0 1 short == "." then "source${short}" else short;

  # What it is called in its tree: with the escapes decoded.
  urlKey = what: url:
    let
      decoded = part:
        if isString part then part
        else if match "[2-7][0-9A-Fa-f]" (head part) != null then fromJSON ''"\u00${head part}"''
        else refuse what "the URL has %${head part}, which Nix cannot decode" "give the file a plainer name";
    in
    concatStringsSep "" (map decoded (split "%([0-9A-Fa-f]{2})" (lastSegment url)));
}
