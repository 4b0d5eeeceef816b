# The trees of a lock -> store paths. Four ways lead to the same paths: a cache in the flake, a cache elsewhere, upstream,
# and the store alone. Which one is an argument: pure evaluation cannot try one and fall back.
let
  inherit (builtins)
    addErrorContext attrNames compareVersions dirOf elem filter hasAttr head isPath listToAttrs map match pathExists
    replaceStrings stringLength substring toString unsafeDiscardStringContext;
  inherit (import ./lock.nix) folderOf pinOf readLock refuse renderedOf transformedOf;

  hexOf = replaceStrings [ "sha256:" ] [ "" ];

  # -- from a cache: the store of agent-sync, or a folder that `agent-sync nix export` wrote -----------------------------

  fromCache = cache: pin:
    let
      place = "/blobs/sha256/" + (if pin ? url then pin.sha256 else hexOf pin.blob);
      trimmed = head (match "(.*[^/])/*" (unsafeDiscardStringContext (toString cache)));
      address = if substring 0 1 trimmed == "/" then "file://${trimmed}" else trimmed;
      # What stands behind `#` is not sent anywhere: it is there for the messages of Nix.
      url = "${address}${place}#${fragment pin.what}";
    in
    if isPath cache && !pathExists (cache + place) then
      refuse pin.what "its blob is not in the cache ${toString cache}" "put it there: agent-sync nix export"
    else if pin ? url then builtins.fetchurl { inherit url; inherit (pin) sha256 name; }
    else builtins.fetchTarball { inherit url; sha256 = pin.narHash; name = "source"; };

  fragment = what: builtins.concatStringsSep "-" (filter builtins.isString (builtins.split "[^A-Za-z0-9._-]+" what));

  # -- from upstream: each kind of source from where it was locked -------------------------------------------------------

  fromUpstream = root: source:
    let pin = pinOf source; in
    if source.type == "url" then
      if match ".*[*]{3}.*" pin.url != null then refuse pin.what "its address has a secret that the lock does not hold" "use a cache"
      else builtins.fetchurl { inherit (pin) url sha256 name; }
    else if source.type == "git" then
      lockedOnly pin (inFolder (gitTree source) (folderOf pin.what (source.root or "")))
    else if root == null then refuse pin.what "it is a folder of the project, and `root` does not say where that is" "add root = ./.;"
    else localTree pin root (folderOf pin.what source.resolved.path);

  # Before Nix 2.20 `fetchGit` asks `git archive`, which obeys attributes such as `export-ignore`: then the hash differs.
  gitTree = { repo, resolved, ... }:
    let arguments = { url = repo; rev = resolved.commit; allRefs = true; }; in
    if builtins ? fetchTree && compareVersions builtins.nixVersion "2.20" >= 0
    then (builtins.fetchTree (arguments // { type = "git"; })).outPath
    else (builtins.fetchGit arguments).outPath;

  # A single file is a tree with this one file.
  localTree = pin: root: path:
    let parent = if dirOf path == "." then "" else dirOf path; in
    if path != "" && (builtins.readDir (inFolder root parent)).${baseNameOf path} or null == "regular"
    then lockedOnly pin (inFolder root parent)
    else lockedOnly pin (inFolder root path);

  inFolder = tree: folder: if folder == "" then tree else tree + "/${folder}";

  # Exactly the locked files and their folders, out of a tree that may have more.
  lockedOnly = pin: tree:
    let
      folders = foldersOf (attrNames pin.files);
      start = stringLength (toString tree) + 1;
      isLocked = path: type:
        let key = substring start (-1) path; in
        if type == "directory" then hasAttr key folders else hasAttr key pin.files;
    in
    builtins.path { name = "source"; path = tree; filter = isLocked; sha256 = pin.narHash; };

  # Every folder on the way to these files.
  foldersOf = paths:
    let
      above = filter (folder: folder != ".") (map dirOf paths);
      folders = listToAttrs (map (name: { inherit name; value = null; }) above);
    in
    if above == [ ] then { } else folders // foldersOf (attrNames folders);

  # -- from the store: what is there, or what a substituter has ----------------------------------------------------------

  # The derivation is never built; it says which path this hash has. The context makes Nix get that path.
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

  # -- which of them -----------------------------------------------------------------------------------------------------

  remedies = {
    cache = "see whether the cache is the one of this lock: agent-sync nix export writes one";
    upstream = "use a cache, which has the bytes that were locked, or from = \"store\"";
    store = "put it there: agent-sync nix import, or add a substituter that has it";
  };

  fetched = { cache, root, from, ... }: pin: source:
    addErrorContext "agent-sync: ${pin.what} could not be had from the ${from}; ${remedies.${from}}" (
      if from == "cache" then if cache == null then refuse pin.what "`cache` does not say where the cache is" "add it" else fromCache cache pin
      else if from == "store" then fromStore pin
      else if source == null then refuse pin.what "what transforms and overrides made lies nowhere upstream" remedies.upstream
      else fromUpstream root source
    );

  withDefaults = arguments@{ lockFile, cache ? null, root ? null, from ? if cache == null then "upstream" else "cache", ... }:
    if elem from [ "cache" "upstream" "store" ] then { inherit cache root from; lock = readLock lockFile; }
    else throw "agent-sync: `from` is ${builtins.toJSON from}; it is \"cache\", \"upstream\" or \"store\"";

  # Name -> the store path of each source's files, before any transform; of a url the file itself.
  sources = arguments:
    let given = withDefaults arguments; in
    listToAttrs (map (source: { inherit (source) name; value = fetched given (pinOf source) source; }) given.lock.sources);

  # narHash -> the store path of each tree that transforms and overrides made.
  made = arguments:
    let
      given = withDefaults arguments;
      trees = filter (tree: tree != null) (map transformedOf given.lock.sources ++ [ (renderedOf given.lock) ]);
    in
    listToAttrs (map (tree: { name = tree.narHash; value = fetched given tree null; }) trees);
in
{ inherit made sources; }
