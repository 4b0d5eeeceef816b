# What a lock says, checked as far as store paths rest on it; each refusal names the source and says what to do.
let
  inherit (builtins)
    all attrNames concatMap concatStringsSep elem elemAt filter groupBy head isAttrs isInt isList isString length
    listToAttrs map mapAttrs match readFile split stringLength substring toString
    unsafeDiscardStringContext;

  again = "make the lock again: agent-sync update";

  refuse = what: check: remedy: throw "agent-sync: ${what}: ${check}; ${remedy}";

  # -- reading ---------------------------------------------------------------------------------------------------------

  readLock = file:
    let
      name = unsafeDiscardStringContext (baseNameOf (toString file));
      lock = import ./yaml.nix name (unsafeDiscardStringContext (readFile file));
      version = lock.version or null;
      names = map (source: source.name) lock.sources;
      twice = filter (same: length same > 1) (builtins.attrValues (groupBy (each: each) names));
    in
    if version == null then refuse name "it has no `version`" again
    else if !(isInt version) || version != 1 then
      refuse name "its version is ${builtins.toJSON version}, and this reads version 1" "take nix/ from the agent-sync that wrote it"
    else if !(isList (lock.sources or [ ]) && all isSource (lock.sources or [ ])) then
      refuse name "`sources` is not a list of sources with `name`, `type` and `resolved`" again
    else if twice != [ ] then refuse "source ${head (head twice)}" "it stands in ${name} ${toString (length (head twice))} times" again
    else { sources = [ ]; outputs = [ ]; } // lock;

  isSource = source:
    isAttrs source && isString (source.name or null) && isAttrs (source.resolved or null)
    && elem (source.type or null) [ "git" "url" "local" ];

  # -- trees -----------------------------------------------------------------------------------------------------------

  # A tree that the lock pins: what it is for messages, its digests, its files by key.
  treeOf = what: said:
    let
      needed = field: pattern:
        let value = said.${field} or null; in
        if value == null then refuse what "the lock has no `${field}` for it" again
        else if !(isString value) || match pattern value == null then refuse what "its `${field}` is no sha256" again
        else value;
    in
    {
      inherit what;
      narHash = needed "narHash" "sha256-[A-Za-z0-9+/]{43}=";
      blob = needed "blob" "sha256:[0-9a-f]{64}";
      files = filesOf what (said.files or { });
    };

  filesOf = what: files:
    mapAttrs (key: file:
      if !(isAttrs file) || match "[0-9a-f]{64}" (file.sha256 or "") == null then refuse what "file ${key}: its `sha256` is none" again
      else { inherit (file) sha256; executable = file.executable or false; }
    ) (safeKeys what files);

  # What is fetched for a source, before any transform: a tree, or of a url one file.
  pinOf = source:
    let
      what = "source ${source.name}";
      inherit (source) resolved;
      status = source.status or "ok";
    in
    if status != "ok" then refuse what "it is locked with the status ${toString status}" "run agent-sync update ${source.name}"
    else if source.type == "url" then
      if !(isString (resolved.url or null)) then refuse what "the lock has no `url` for it" again
      else if match "[0-9a-f]{64}" (resolved.sha256 or "") == null then refuse what "its `sha256` is none" again
      else rec {
        inherit what;
        inherit (resolved) url sha256;
        key = head (attrNames (safeKeys what (setOf [ (urlKey what url) ])));
        name = storeName url;
        files.${key} = { inherit sha256; executable = false; };
      }
    else treeOf what resolved;

  transformedOf = source:
    if (source.transformed.files or { }) == { } then null
    else treeOf "source ${source.name}, transformed" source.transformed;

  renderedOf = lock: if (lock.rendered.files or { }) == { } then null else treeOf "the overrides" lock.rendered;

  # -- names -----------------------------------------------------------------------------------------------------------

  # `keys` of an attribute set, if each names a file below a folder, and not one of git's.
  safeKeys = what: set:
    let unsafe = filter (key: !isSafe key) (attrNames set); in
    if unsafe == [ ] then set
    else refuse what "the name ${builtins.toJSON (head unsafe)} would leave its folder, or is not allowed" "do not use this lock: agent-sync never writes such a name";

  isSafe = path:
    stringLength path <= 6144
    && match "[A-Za-z0-9_@+=,-][A-Za-z0-9_@+=,.-]*(/[A-Za-z0-9_@+=,-][A-Za-z0-9_@+=,.-]*)*" path != null
    || path != ""
      && match ".*/([.]{0,2}|[.][gG][iI][tT][. ]*)/.*" "/${path}/" == null
      && match "[^[:cntrl:]\\]*" path != null;

  # A folder as locks write it (`./agents/`), without what stands around the names; "" is the folder itself.
  folderOf = what: text:
    let
      trimmed = match "([.]/+)*(.*[^/])?/*" text;
      plain = if elemAt trimmed 1 == null then "" else elemAt trimmed 1;
    in
    if (plain == "" || plain == ".") && substring 0 1 text != "/" then ""
    else if isSafe plain then plain
    else refuse what "the path ${builtins.toJSON text} would leave the project" "use a cache, or from = \"store\": they have the bytes";

  below = folder: key: if folder == "" then key else "${folder}/${key}";

  # -- addresses -------------------------------------------------------------------------------------------------------

  # The last segment of an address's path as it stands there; its host if there is none.
  lastSegment = url:
    let
      path = head (match "([^?#]*).*" url);
      segments = filter (each: builtins.isString each && each != "") (split "/+" path);
    in
    if segments == [ ] then "" else elemAt segments (length segments - 1);

  # What a store path may be called.
  storeName = url:
    let
      plain = concatStringsSep "-" (filter isString (split "[^A-Za-z0-9+._?=-]" (lastSegment url)));
      short = substring 0 200 plain;
    in
    if short == "" || substring 0 1 short == "." then "source${short}" else short;

  # What the file is called in its tree: the segment with its escapes decoded.
  urlKey = what: url:
    let
      decoded = part:
        if isString part then part
        else if match "[2-7][0-9A-Fa-f]" (head part) != null then builtins.fromJSON ''"\u00${head part}"''
        else refuse what "its address has %${head part}, which Nix cannot decode" "give the file a name of plain characters";
    in
    concatStringsSep "" (map decoded (split "%([0-9A-Fa-f]{2})" (lastSegment url)));

  # -- outputs ---------------------------------------------------------------------------------------------------------

  # A source's files as its transforms leave them.
  resultOf = source:
    let transformed = transformedOf source; in
    removeAttrs (pinOf source).files (removedOf source) // (if transformed == null then { } else transformed.files);

  removedOf = source:
    attrNames (safeKeys "source ${source.name}, removed" (setOf (source.transformed.removed or [ ])));

  # Each source that is placed, its name, its files, and the folder that they go to; the sources are shared.
  placementsOf = lock:
    let
      byName = listToAttrs (map (source: { inherit (source) name; value = { inherit source; files = resultOf source; }; }) lock.sources);
      placement = output:
        (byName.${output.source} or (refuse "outputs" "they name the source ${output.source}, which the lock does not have" again))
        // { to = folderOf "outputs of ${output.source}" output.to; };
    in
    map placement lock.outputs;

  # Every file that the lock puts into a project: path -> sha256 and executable.
  outputFiles = lock:
    let
      placed = { files, to, ... }: map (key: { name = below to key; value = files.${key}; }) (attrNames files);
      rendered = renderedOf lock;
    in
    # Of equal names `listToAttrs` takes the first, and the last placement counts.
    listToAttrs (concatMap placed (reversed (placementsOf lock))) // (if rendered == null then { } else rendered.files);

  reversed = list: builtins.genList (index: elemAt list (length list - 1 - index)) (length list);
  setOf = names: listToAttrs (map (name: { inherit name; value = null; }) names);
in
{
  inherit below folderOf outputFiles pinOf placementsOf readLock refuse removedOf renderedOf transformedOf;
}
