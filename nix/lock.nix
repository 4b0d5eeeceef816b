# What a lock says, checked as far as store paths rest on it; each refusal names the source and says what to do.
let
  inherit (builtins)
    all attrNames attrValues concatMap elemAt filter genList groupBy head isAttrs isInt isList isString length
    listToAttrs map mapAttrs match readFile toJSON toString unsafeDiscardStringContext;
  inherit (import ./names.nix) below directoryOf safeKeys storeName urlKey;
  refuse = import ./refuse.nix;

  again = "make the lock again: agent-sync update";
  digits = "[0-9a-f]{64}";
  fits = pattern: value: isString value && match pattern value != null;
  setOf = names: listToAttrs (map (name: { inherit name; value = null; }) names);

  # -- reading ---------------------------------------------------------------------------------------------------------

  readLock = file:
    let
      name = unsafeDiscardStringContext (baseNameOf (toString file));
      lock = { sources = [ ]; outputs = [ ]; } // import ./yaml.nix name (unsafeDiscardStringContext (readFile file));
      version = lock.version or null;
      twice = filter (same: length same > 1) (attrValues (groupBy (source: source.name) lock.sources));
    in
    if version == null then refuse name "`version` is missing" again
    else if !(isInt version && version == 1) then
      refuse name "version ${toJSON version} is not supported, only version 1"
        "take nix/ from the agent-sync that wrote it"
    else if !(isList lock.sources && all isSource lock.sources) then
      refuse name "`sources` is not a list of sources with `name`, `type` and `resolved`" again
    else if !(isList lock.outputs && all isOutput lock.outputs) then
      refuse name "`outputs` is not a list of `source` and `to`" again
    else if twice != [ ] then
      refuse "source ${(head (head twice)).name}" "listed ${toString (length (head twice))} times in ${name}" again
    else lock;

  isSource = source:
    isAttrs source && isString (source.name or null) && isAttrs (source.resolved or null)
    && isString (source.type or null);
  isOutput = output: isAttrs output && isString (output.source or null) && isString (output.to or null);

  # -- trees -----------------------------------------------------------------------------------------------------------

  # A tree that the lock pins: what it is for messages, its digests, its files by key.
  treeOf = what: said:
    let
      needed = field: pattern:
        if !(said ? ${field}) then refuse what "`${field}` is missing in the lock" again
        else if !(fits pattern said.${field}) then refuse what "`${field}` is not a SHA-256 digest" again
        else said.${field};
    in
    {
      inherit what;
      narHash = needed "narHash" "sha256-[A-Za-z0-9+/]{43}=";
      blob = needed "blob" "sha256:${digits}";
      files = filesOf what (said.files or { });
    };

  filesOf = what: files: mapAttrs (fileOf what) (safeKeys what files);
  fileOf = what: key: file:
    if !(fits digits (file.sha256 or null)) then refuse what "file ${key}: `sha256` is not a SHA-256 digest" again
    else { inherit (file) sha256; executable = file.executable or false == true; };

  # What is fetched for a source, before any transform: a tree, or of a url one file.
  pinOf = source:
    let
      what = "source ${source.name}";
      status = source.status or "ok";
    in
    if status != "ok" then
      refuse what "locked with the status ${toString status}" "run agent-sync update ${source.name}"
    # By what is recorded, not by type: a type that is not known here is a tree or a file like any other.
    else if source.resolved ? url && !(source.resolved ? files) then filePin what source.resolved
    else treeOf what source.resolved;

  filePin = what: said:
    if !(isString (said.url or null)) then refuse what "`url` is missing in the lock" again
    else if !(fits digits (said.sha256 or null)) then refuse what "`sha256` is not a SHA-256 digest" again
    else rec {
      inherit what;
      inherit (said) url sha256;
      name = storeName url;
      key = head (attrNames (safeKeys what (setOf [ (urlKey what url) ])));
      files.${key} = { inherit sha256; executable = false; };
    };

  transformedOf = source:
    if (source.transformed.files or { }) == { } then null
    else treeOf "source ${source.name}, transformed" source.transformed;

  renderedOf = lock: if (lock.rendered.files or { }) == { } then null else treeOf "the overrides" lock.rendered;

  filesOrNone = tree: if tree == null then { } else tree.files;

  # -- outputs ---------------------------------------------------------------------------------------------------------

  # The keys that a source's transforms took away.
  removedOf = source:
    attrNames (safeKeys "source ${source.name}, removed" (setOf (source.transformed.removed or [ ])));

  # A source's files as its transforms leave them.
  resultOf = source: removeAttrs (pinOf source).files (removedOf source) // filesOrNone (transformedOf source);

  # Each output: the source, its files, and the directory that they go to.
  placementsOf = lock:
    let
      sources = listToAttrs (map (source: { inherit (source) name; value = placeable source; }) lock.sources);
      placeable = source: { inherit source; files = resultOf source; };
      unknown = name: refuse "outputs" "the source ${name} is not in the lock" again;
      placement = output:
        (sources.${output.source} or (unknown output.source))
        // { to = directoryOf "outputs of ${output.source}" output.to; };
    in
    map placement lock.outputs;

  # Every file that the lock puts into a project: path -> sha256 and executable.
  outputFiles = lock:
    let placed = { files, to, ... }: map (key: { name = below to key; value = files.${key}; }) (attrNames files); in
    # Of equal names `listToAttrs` takes the first, and the last placement counts.
    listToAttrs (concatMap placed (reversed (placementsOf lock))) // filesOrNone (renderedOf lock);

  reversed = list: genList (index: elemAt list (length list - 1 - index)) (length list);
in
{
  inherit outputFiles pinOf placementsOf readLock removedOf renderedOf transformedOf;
}
