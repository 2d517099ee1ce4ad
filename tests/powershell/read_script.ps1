# What PowerShell's own parser finds in each script of a folder, as JSON: later syntax, commands, redirections, .NET.
param([string] $Folder)
$ErrorActionPreference = 'Stop'
$syntax = 'System.Management.Automation.Language'
$isA = [Type].GetMethod('IsInstanceOfType', [Type[]] @([object]))
$names = @{}

# A predicate that is compiled: a script block would be called for each of a million nodes.
function Find-Node($Tree, [string] $Kind) {
    $type = "$syntax.$Kind" -as [Type]
    $predicate = [Delegate]::CreateDelegate([Func[System.Management.Automation.Language.Ast, bool]], $type, $isA)
    $Tree.FindAll($predicate, $true)
}

function Get-TypeName($TypeName) {
    if ($TypeName -is [System.Management.Automation.Language.ArrayTypeName]) { return Get-TypeName $TypeName.ElementType }
    if (-not $names.ContainsKey($TypeName.FullName)) {
        $type = $TypeName.GetReflectionType()
        if ($null -eq $type) { $type = $TypeName.GetReflectionAttributeType() }
        $names[$TypeName.FullName] = if ($null -eq $type) { $TypeName.FullName } else { Get-Name $type }
    }
    $names[$TypeName.FullName]
}

function Get-StaticName($TypeName) {
    if ($TypeName -is [System.Management.Automation.Language.ArrayTypeName]) { 'System.Array' } else { Get-TypeName $TypeName }
}

function Get-Name([Type] $Type) {
    if ($Type.IsArray) { return 'System.Array' }
    if ($Type.IsGenericType) { return $Type.GetGenericTypeDefinition().FullName }
    $Type.FullName
}

# The function around a node, or the file.
function Get-Scope($Node) {
    while ($null -ne $Node.Parent) {
        $Node = $Node.Parent
        if ($Node -is [System.Management.Automation.Language.FunctionDefinitionAst]) { return $Node }
    }
    $Node
}

# The types of variables: of parameters, of what is cast or made where it is assigned. Two types are none.
function Get-VariableType($Tree) {
    $found = @{}
    foreach ($one in Find-Node $Tree 'ParameterAst') {
        if ($one.StaticType -ne [object]) { $found["$((Get-Scope $one).Extent.StartOffset) $($one.Name)"] = $one.StaticType }
    }
    foreach ($one in Find-Node $Tree 'AssignmentStatementAst') {
        $left, $right = @($one.Left), @($one.Right)
        if ($one.Left -is [System.Management.Automation.Language.ArrayLiteralAst] -and
            $one.Right -is [System.Management.Automation.Language.CommandExpressionAst] -and
            $one.Right.Expression -is [System.Management.Automation.Language.ArrayLiteralAst] -and
            $one.Right.Expression.Elements.Count -eq $one.Left.Elements.Count) {
            $left, $right = $one.Left.Elements, $one.Right.Expression.Elements
        }
        for ($at = 0; $at -lt @($left).Count; $at++) { Add-VariableType $one @($left)[$at] @($right)[$at] $found }
    }
    $found
}

function Add-VariableType($Assignment, $Left, $Right, $Found) {
    if ($Left -is [System.Management.Automation.Language.ConvertExpressionAst]) { $Left = $Left.Child }
    if ($Left -isnot [System.Management.Automation.Language.VariableExpressionAst]) { return }
    $key = "$((Get-Scope $Assignment).Extent.StartOffset) $Left"
    $type = if ($Right -is [System.Management.Automation.Language.StatementAst]) { Get-StatementType $Right $Found } else { Get-ExpressionType $Right $Found }
    if ($Found.ContainsKey($key) -and $Found[$key] -ne $type) { $type = $null }
    $Found[$key] = $type
}

function Get-StatementType($Statement, $Variables) {
    if ($Statement -is [System.Management.Automation.Language.IfStatementAst]) {
        if ($null -eq $Statement.ElseClause) { return }
        $blocks = @($Statement.Clauses | ForEach-Object { $_.Item2 }) + $Statement.ElseClause
        $types = @($blocks | ForEach-Object { if ($_.Statements.Count -eq 1) { Get-StatementType $_.Statements[0] $Variables } else { [void] } })
        $one = @($types | Select-Object -Unique)
        if ($types.Count -eq $blocks.Count -and $one.Count -eq 1 -and $one[0] -ne [void]) { return $one[0] }
        return
    }
    if ($Statement -is [System.Management.Automation.Language.PipelineAst]) {
        if ($Statement.PipelineElements.Count -ne 1) { return }
        $Statement = $Statement.PipelineElements[0]
    }
    if ($Statement -is [System.Management.Automation.Language.CommandExpressionAst]) {
        return Get-ExpressionType $Statement.Expression $Variables
    }
    if ($Statement -is [System.Management.Automation.Language.CommandAst] -and "$Statement" -match "^New-Object -TypeName '([\w.]+)") {
        return $Matches[1] -as [Type]
    }
}

function Get-ExpressionType($Node, $Variables) {
    switch ($Node.GetType().Name) {
        'ParenExpressionAst' { return Get-StatementType $Node.Pipeline $Variables }
        'VariableExpressionAst' { return $Variables["$((Get-Scope $Node).Extent.StartOffset) $Node"] }
        'TypeExpressionAst' { return }
        'MemberExpressionAst' { return Get-MemberType $Node $Variables }
        'InvokeMemberExpressionAst' { return Get-MemberType $Node $Variables }
        'BinaryExpressionAst' {
            if ($Node.Operator -in 'Format', 'Join') { return [string] }
            if ("$($Node.Operator)" -eq 'Bor') { return Get-ExpressionType $Node.Left $Variables }
        }
        'UnaryExpressionAst' { if ("$($Node.TokenKind)" -eq 'Join') { return [string] } }
    }
    if ($Node.StaticType -ne [object]) { $Node.StaticType }
}

# What a property holds or a method returns, where all its overloads agree.
function Get-MemberType($Node, $Variables) {
    $owner = if ($Node.Static) { $Node.Expression.TypeName.GetReflectionType() } else { Get-ExpressionType $Node.Expression $Variables }
    if ($null -eq $owner -or $Node.Member -isnot [System.Management.Automation.Language.StringConstantExpressionAst]) { return }
    $name = $Node.Member.Value
    if ($Node.Static -and $name -eq 'new') { return $owner }
    $kept = @(foreach ($one in $owner.GetMember($name)) {
        if ($one -is [System.Reflection.MethodInfo]) { $one.ReturnType } elseif ($one -is [System.Reflection.PropertyInfo]) { $one.PropertyType }
        elseif ($one -is [System.Reflection.FieldInfo]) { $one.FieldType }
    })
    $kept = @($kept | Select-Object -Unique)
    if ($kept.Count -eq 1 -and $kept[0] -notin [object], [void] -and -not $kept[0].IsGenericParameter) { $kept[0] }
}

function Read-Member($Tree) {
    $variables = Get-VariableType $Tree
    foreach ($node in Find-Node $Tree 'MemberExpressionAst') {
        $name = "$($node.Member)"
        if ($node -is [System.Management.Automation.Language.InvokeMemberExpressionAst]) {
            $name += "/$(if ($null -eq $node.Arguments) { 0 } else { $node.Arguments.Count })"
        }
        $owner = if ($node.Static) { Get-StaticName $node.Expression.TypeName } else {
            $type = Get-ExpressionType $node.Expression $variables
            # A member that the type lacks is one of a type below it, or a name in a table.
            if ($null -ne $type -and $type.GetMember("$($node.Member)").Count -gt 0) { Get-Name $type } else { '' }
        }
        @{ owner = "$owner"; member = $name; line = $node.Extent.StartLineNumber }
    }
    foreach ($node in Find-Node $Tree 'CommandAst') {
        if ("$node" -notmatch "^New-Object -TypeName '([\w.]+)('|\[)(?:.*-ArgumentList (.+))?") { continue }
        $type = $Matches[1]
        $arguments = if ($Matches.ContainsKey(3)) { @($node.CommandElements[-1].Elements).Count } else { 0 }
        $generic = if ($Matches[2] -eq '[') { '`1' }
        @{ owner = "$type$generic"; member = "new/$arguments"; line = $node.Extent.StartLineNumber }
    }
}

# Arguments where .NET takes an enumeration, and that are not of one by what they are written as. A text there is
# converted to whichever overload fits, and .NET Framework has overloads that this runtime does not.
function Read-LooseArgument($Tree) {
    $variables = Get-VariableType $Tree
    foreach ($node in Find-Node $Tree 'InvokeMemberExpressionAst') {
        if ($null -eq $node.Arguments) { continue }
        $owner = if ($node.Static) { $node.Expression.TypeName.GetReflectionType() } else { Get-ExpressionType $node.Expression $variables }
        if ($null -eq $owner) { continue }
        $made = $node.Static -and "$($node.Member)" -eq 'new'
        $overloads = @(if ($made) { $owner.GetConstructors() } else { $owner.GetMethods() | Where-Object { $_.Name -eq "$($node.Member)" } })
        $overloads = @($overloads | Where-Object { $_.GetParameters().Count -eq $node.Arguments.Count })
        for ($at = 0; $at -lt $node.Arguments.Count; $at++) {
            if (-not ($overloads | Where-Object { $_.GetParameters()[$at].ParameterType.IsEnum })) { continue }
            $given = Get-ExpressionType $node.Arguments[$at] $variables
            if ($null -ne $given -and $given -notin [string], [object]) { continue }
            "$($node.Extent.StartLineNumber) $(Get-Name $owner).$($node.Member) $($node.Arguments[$at])"
        }
    }
}

function Read-Command($Tree) {
    foreach ($node in Find-Node $Tree 'CommandAst') {
        $parameters = @(); $arguments = @(); $splatted = @(); $name = "$($node.GetCommandName())"
        for ($at = 1; $at -lt $node.CommandElements.Count; $at++) {
            $one = $node.CommandElements[$at]
            if ($one -is [System.Management.Automation.Language.CommandParameterAst]) {
                $parameters += $one.ParameterName
                $value = if ($null -ne $one.Argument) { $one.Argument } elseif ($at + 1 -lt $node.CommandElements.Count) { $node.CommandElements[$at + 1] }
                if ($value -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $arguments += , @($one.ParameterName, $value.Value) }
            }
            elseif ($one -is [System.Management.Automation.Language.VariableExpressionAst] -and $one.Splatted) { $splatted += $one.VariablePath.UserPath }
        }
        @{
            name = $name; parameters = $parameters; arguments = $arguments; splatted = $splatted
            redirections = @(foreach ($one in $node.Redirections) { "$one" }); line = $node.Extent.StartLineNumber
            within = "$((Get-Scope $node).Name)"
        }
    }
}

# The names in tables that are given to commands with @name, by the function that they stand in.
function Read-Splat($Tree) {
    foreach ($one in Find-Node $Tree 'AssignmentStatementAst') {
        if ($one.Left -isnot [System.Management.Automation.Language.VariableExpressionAst]) { continue }
        $table = if ($one.Right -is [System.Management.Automation.Language.CommandExpressionAst]) { $one.Right.Expression }
        if ($table -is [System.Management.Automation.Language.HashtableAst]) {
            @{ within = "$((Get-Scope $one).Name)"; name = "$($one.Left.VariablePath.UserPath)"; keys = @($table.KeyValuePairs.Item1 | ForEach-Object { "$_" }) }
        }
    }
}

function Read-Later($Tree) {
    foreach ($kind in 'TernaryExpressionAst', 'PipelineChainAst', 'TypeDefinitionAst', 'UsingStatementAst', 'ConfigurationDefinitionAst') {
        foreach ($one in Find-Node $Tree $kind) { "${kind}: $one" }
    }
    foreach ($one in Find-Node $Tree 'BinaryExpressionAst') {
        if ("$($one.Operator)" -like 'QuestionQuestion*') { "$one" }
        if ("$($one.Operator)" -eq 'DotDot' -and $one.Left.StaticType -eq [string]) { "a range of characters: $one" }
        if ("$($one.Operator)" -like '*replace' -and @(Find-Node $one.Right 'ScriptBlockExpressionAst').Count -gt 0) { "replaces by a script block: $one" }
    }
    foreach ($one in Find-Node $Tree 'AssignmentStatementAst') { if ("$($one.Operator)" -like 'QuestionQuestion*') { "$one" } }
    foreach ($one in @(Find-Node $Tree 'MemberExpressionAst') + @(Find-Node $Tree 'IndexExpressionAst')) { if ($one.NullConditional) { "$one" } }
    foreach ($one in Find-Node $Tree 'InvokeMemberExpressionAst') { if ($one.GenericTypeArguments) { "$one" } }
    foreach ($one in Find-Node $Tree 'ForEachStatementAst') { if ("$($one.Flags)" -ne 'None') { "foreach -Parallel: $one" } }
    foreach ($one in Find-Node $Tree 'FunctionDefinitionAst') { if ($one.IsWorkflow) { "a workflow: $($one.Name)" } }
    foreach ($one in Find-Node $Tree 'ScriptBlockAst') { if ($null -ne $one.CleanBlock) { "a clean block: $one" } }
    foreach ($one in Find-Node $Tree 'PipelineBaseAst') { if ($one.Background) { "in the background: $one" } }
    foreach ($one in Find-Node $Tree 'ConstantExpressionAst') {
        if ("$one" -match '^[-+]?(0b|[\dx][\da-fx.]*(u|y|s|n|ul|us|uy)(kb|mb|gb)?$)' -and $one.StaticType -ne [string] -and "$one" -notmatch '^0x') { "a number of later versions: $one" }
    }
    foreach ($one in Find-Node $Tree 'ExpandableStringExpressionAst') { if ("$one" -cmatch '(?<!`)(``)*`[eu]') { "an escape of later versions: $one" } }
    foreach ($one in Find-Node $Tree 'StringConstantExpressionAst') {
        if ("$($one.StringConstantType)" -like 'DoubleQuoted*' -and "$one" -cmatch '(?<!`)(``)*`[eu]') { "an escape of later versions: $one" }
    }
    foreach ($one in Find-Node $Tree 'VariableExpressionAst') {
        if ($one.VariablePath.UserPath -in 'IsWindows', 'IsLinux', 'IsMacOS', 'IsCoreCLR', 'PSStyle', 'EnabledExperimentalFeatures') { "$one" }
    }
}

function Read-Key($Tree) {
    foreach ($table in Find-Node $Tree 'HashtableAst') { foreach ($pair in $table.KeyValuePairs) { "$($pair.Item1)" } }
    foreach ($one in Find-Node $Tree 'AssignmentStatementAst') {
        if ($one.Left -is [System.Management.Automation.Language.MemberExpressionAst]) { "$($one.Left.Member)" }
    }
}

function Read-Script([string] $File) {
    $tokens = $null; $errors = $null
    $tree = [System.Management.Automation.Language.Parser]::ParseFile($File, [ref] $tokens, [ref] $errors)
    $types = foreach ($kind in 'TypeExpressionAst', 'TypeConstraintAst', 'AttributeAst') {
        foreach ($one in Find-Node $tree $kind) { Get-TypeName $one.TypeName }
    }
    @{
        file = [System.IO.Path]::GetFileName($File)
        errors = @($errors | ForEach-Object { "$_" })
        functions = @((Find-Node $tree 'FunctionDefinitionAst') | ForEach-Object { "$($_.Name)" })
        start = @($tree.EndBlock.Statements | Select-Object -First 2 | ForEach-Object { "$_" })
        later = @(Read-Later $tree); commands = @(Read-Command $tree); splats = @(Read-Splat $tree)
        help = @(if ($null -ne $tree.GetHelpContent()) { $one = $tree.GetHelpContent(); "$($one.Synopsis)".Trim(); @($one.Parameters.Keys) })
        loose = @(Read-LooseArgument $tree)
        placed = @(foreach ($one in Find-Node $tree 'ParamBlockAst') {
            (Find-Node $one 'VariableExpressionAst').VariablePath.UserPath | Where-Object { $_ -in 'PSScriptRoot', 'PSCommandPath', 'MyInvocation' }
        })
        parameters = @(if ($null -ne $tree.ParamBlock) { $tree.ParamBlock.Parameters | ForEach-Object { $_.Name.VariablePath.UserPath } })
        types = @($types | Select-Object -Unique); members = @(Read-Member $tree); keys = @(Read-Key $tree | Select-Object -Unique)
    }
}

$null = [System.DirectoryServices.Protocols.LdapConnection]
$rows = foreach ($file in [System.IO.Directory]::GetFiles($Folder, '*.ps1')) { Read-Script $file }
ConvertTo-Json -InputObject @($rows) -Depth 6 -Compress
