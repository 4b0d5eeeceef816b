# The trees of a lock -> store paths. Four ways lead to the same paths: a cache in the flake, a cache elsewhere,
# upstream, the store alone. Which one is an argument: pure evaluation cannot try one and fall back.
let
  inherit (builtins)
    addErrorContext attrNames compareVersions concatStringsSep dirOf elem filter hasAttr head isPath isString
    listToAttrs map match pathExists replaceStrings split stringLength substring toJSON toString
    unsafeDiscardStringContext;
  inherit (import ./lock.nix) pinOf readLock renderedOf transformedOf;
  inherit (import ./names.nix) directoryOf;
  refuse = import ./refuse.nix;

  # -- from a cache: a layout directory of `agent-sync push`, or the store of agent-sync ----------------------------------

  fromCache = cache: pin:
    let
      place = "/blobs/sha256/" + (if pin ? url then pin.sha256 else replaceStrings [ "sha256:" ] [ "" ] pin.blob);
      trimmed = head (match "(.*[^/])/*" (unsafeDiscardStringContext (toString cache)));
      address = if substring 0 1 trimmed == "/" then "file://${trimmed}" else trimmed;
      # What stands behind `#` is not sent anywhere: it is there for the messages of Nix.
      url = "${address}${place}#${fragment pin.what}";
    in
    if cache == null then refuse pin.what "`cache` does not say where the cache is" "add it"
    else if isPath cache && !pathExists (cache + place) then
      refuse pin.what "the blob is not in the cache ${toString cache}" "put it there: agent-sync push oci:DIR"
    else if pin ? url then builtins.fetchurl { inherit url; inherit (pin) sha256 name; }
    else builtins.fetchTarball { inherit url; sha256 = pin.narHash; name = "source"; };

  fragment = what: concatStringsSep "-" (filter isString (split "[^A-Za-z0-9._-]+" what));

  # -- from upstream: each kind of source from where it was locked -----------------------------------------------------

  fromUpstream = root: source:
    if source == null then refuse "outputs" "the results of transforms and overrides are not upstream" remedies.upstream
    else
      ({ url = urlFile; git = gitTree; local = localTree root; oci = ociTree; }.${source.type} or otherType)
        (pinOf source) source;

  ociTree = pin: _: refuse pin.what "Nix cannot fetch from a registry" remedies.upstream;
  otherType = pin: { type, ... }: refuse pin.what "Nix cannot fetch sources of type ${type}" remedies.upstream;

  urlFile = pin: _:
    if match ".*[*]{3}.*" pin.url != null then
      refuse pin.what "the URL needs a secret, which the lock does not hold" remedies.upstream
    else builtins.fetchurl { inherit (pin) url sha256 name; };

  # Before Nix 2.20 `fetchGit` asks `git archive`, which obeys attributes such as `export-ignore`: the hash is another.
  gitTree = pin: { repo, resolved, root ? "", ... }:
    let
      arguments = { url = repo; rev = resolved.commit; allRefs = true; };
      fetched =
        if builtins ? fetchTree && compareVersions builtins.nixVersion "2.20" >= 0
        then builtins.fetchTree (arguments // { type = "git"; })
        else builtins.fetchGit arguments;
    in
    # `ext::` and its kin are commands.
    if match "(https?|ssh|git|file)://[^-].*|[A-Za-z0-9._]+@[A-Za-z0-9][A-Za-z0-9.-]*:[^-:].*|/.*" repo == null then
      refuse pin.what "nothing is fetched from the repository ${toJSON repo}" remedies.upstream
    else lockedOnly pin (inDirectory fetched.outPath (directoryOf pin.what root));

  # A single file is a tree with this one file.
  localTree = root: pin: { resolved, ... }:
    let
      path = directoryOf pin.what resolved.path;
      parent = inDirectory root (if dirOf path == "." then "" else dirOf path);
      isFile = path != "" && (builtins.readDir parent).${baseNameOf path} or null == "regular";
    in
    if root == null then
      refuse pin.what "`root` is missing, and the source is a directory of the project" "add root = ./.;"
    else lockedOnly pin (if isFile then parent else inDirectory root path);

  inDirectory = tree: directory: if directory == "" then tree else tree + "/${directory}";

  # Exactly the locked files and their directories, out of a tree that may have more.
  lockedOnly = pin: tree:
    let
      directories = directoriesOf (attrNames pin.files);
      start = stringLength (toString tree) + 1;
      isLocked = path: type: hasAttr (substring start (-1) path) (if type == "directory" then directories else pin.files);
    in
    builtins.path { name = "source"; path = tree; filter = isLocked; sha256 = pin.narHash; };

  # Every directory on the way to these files.
  directoriesOf = paths:
    let
      above = filter (directory: directory != ".") (map dirOf paths);
      directories = listToAttrs (map (name: { inherit name; value = null; }) above);
    in
    if above == [ ] then { } else directories // directoriesOf (attrNames directories);

  # -- from the store: what is there, or what a substituter has --------------------------------------------------------

  # The derivation is never built: it says which path this hash has. The context makes Nix get that path.
  fromStore = pin:
    let
      isFile = pin ? url;
      path = unsafeDiscardStringContext (derivation {
        name = if isFile then pin.name else "source";
        system = "builtin";
        builder = "none";
        outputHashMode = if isFile then "flat" else "recursive";
        outputHashAlgo = "sha256";
        outputHash = if isFile then pin.sha256 else pin.narHash;
      }).outPath;
    in
    builtins.appendContext path { ${path}.path = true; };

  # -- which of them ---------------------------------------------------------------------------------------------------

  remedies = {
    cache = "see whether the cache is the one of this lock: agent-sync push oci:DIR writes one";
    upstream = "use a cache, which has the bytes that were locked, or from = \"store\"";
    store = "put it there: agent-sync nix import; or add a substituter that has it";
  };

  # `source` is null for what transforms and overrides made.
  fetched = { cache, root, from, ... }: pin: source:
    addErrorContext "agent-sync: ${pin.what} could not be fetched from the ${from}; ${remedies.${from}}" (
      if from == "cache" then fromCache cache pin
      else if from == "store" then fromStore pin
      else fromUpstream root source
    );

  given = { lockFile, cache ? null, root ? null, from ? if cache == null then "upstream" else "cache", ... }:
    if elem from (attrNames remedies) then { inherit cache root from; lock = readLock lockFile; }
    else throw "agent-sync: `from` is ${toJSON from}; allowed are \"cache\", \"upstream\" and \"store\"";
in
{
  # Name -> the store path of each source's files, before any transform; of a url the file itself.
  sources = arguments:
    let
      inherit (given arguments) lock;
      path = source: fetched (given arguments) (pinOf source) source;
    in
    listToAttrs (map (source: { inherit (source) name; value = path source; }) lock.sources);

  # narHash -> the store path of each tree that transforms and overrides made.
  made = arguments:
    let
      inherit (given arguments) lock;
      trees = filter (tree: tree != null) (map transformedOf lock.sources ++ [ (renderedOf lock) ]);
    in
    listToAttrs (map (tree: { name = tree.narHash; value = fetched (given arguments) tree null; }) trees);
}
