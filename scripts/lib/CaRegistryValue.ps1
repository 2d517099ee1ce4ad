function Get-CaRegistryValue {
    <#
    .SYNOPSIS
    Reads a number of a CA's configuration: a state of one name whose text is the unsigned decimal number.
    .DESCRIPTION
    $null is an absent value. A key that does not exist, or a value that is no REG_DWORD, throws.
    .PARAMETER Key
    The path of the key, such as HKLM:\SYSTEM\CurrentControlSet\Services\CertSvc\Configuration\Contoso Issuing CA.
    .PARAMETER Name
    The name of the value.
    .EXAMPLE
    Get-CaRegistryValue -Key $key -Name 'UseDefinedCACertInRequest'
    #>
    [OutputType([hashtable])]
    param([Parameter(Mandatory = $true)] [string] $Key, [Parameter(Mandatory = $true)] [string] $Name)
    $ErrorActionPreference = 'Stop'
    $opened = Get-RegistryKey -Key $Key
    if ($null -eq $opened) {
        throw (New-StateError -Id 'RemediateRefused' -Message "The registry key $Key does not exist on this host.")
    }
    if ($opened.GetValueNames() -notcontains $Name) { return @{ $Name = $null } }
    $kind = [string] $opened.GetValueKind($Name)
    if ($kind -ne 'DWord') {
        $message = "$Key\$Name is of type $kind; only a REG_DWORD is read or written here."
        throw (New-StateError -Id 'RemediateRefused' -Message $message)
    }
    return @{ $Name = [string] (ConvertTo-UnsignedNumber -Number $opened.GetValue($Name)) }
}

function Test-CaRegistryValue {
    <#
    .SYNOPSIS
    Says whether a number of a CA's configuration is as wanted.
    .PARAMETER Key
    The path of the key.
    .PARAMETER Name
    The name of the value.
    .PARAMETER Wanted
    The wanted state, such as @{ RequestDisposition = '1' }.
    .EXAMPLE
    Test-CaRegistryValue -Key $key -Name 'RequestDisposition' -Wanted @{ RequestDisposition = '1' }
    #>
    [OutputType([bool])]
    param(
        [Parameter(Mandatory = $true)] [string] $Key,
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [hashtable] $Wanted
    )
    return Test-SameState -Now (Get-CaRegistryValue -Key $Key -Name $Name) -Wanted $Wanted
}

function Set-CaRegistryValue {
    <#
    .SYNOPSIS
    Changes one number of a CA's configuration by certutil, from the approved to the wanted state.
    .DESCRIPTION
    Does nothing where the value is already as wanted, and throws where it is neither. Reading, comparing and writing
    follow one another while no other copy of this function runs on the host. The value is read back.
    It takes effect when CertSvc is restarted. Returns $false when this did not write it, because it was as wanted.
    .PARAMETER Key
    The path of the key that was approved. It must be the one that certutil writes to.
    .PARAMETER Name
    The name of the value.
    .PARAMETER CertutilName
    The name that certutil knows it by, such as policy\RequestDisposition.
    .PARAMETER Before
    The approved state; $null in it is an absent value.
    .PARAMETER After
    The wanted state; with $null in it the value is deleted.
    .EXAMPLE
    Set-CaRegistryValue -Key $key -Name 'RequestDisposition' -CertutilName 'policy\RequestDisposition' `
        -Before @{ RequestDisposition = '257' } -After @{ RequestDisposition = '1' } -WhatIf
    #>
    [CmdletBinding(SupportsShouldProcess = $true)]
    param(
        [Parameter(Mandatory = $true)] [string] $Key,
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [string] $CertutilName,
        [Parameter(Mandatory = $true)] [hashtable] $Before,
        [Parameter(Mandatory = $true)] [hashtable] $After
    )
    $ErrorActionPreference = 'Stop'
    $arguments = Get-CertutilArgument -CertutilName $CertutilName -Name $Name -After $After
    $change = @{ Address = "$Key\$Name"; Before = $Before; After = $After }
    if (-not (Test-ChangeNeeded @change -Now (Get-CaRegistryValue -Key $Key -Name $Name))) {
        return $false
    }
    Confirm-CertutilKey -CertutilName $CertutilName -Key $Key -Name $Name
    if (-not $PSCmdlet.ShouldProcess("$Key\$Name", "certutil.exe $($arguments -join ' ')")) { return }
    Invoke-CaRegistryWrite -Key $Key -Name $Name -Change $change -Arguments $arguments
}

function Invoke-CaRegistryWrite {
    <#
    .SYNOPSIS
    Reads, compares, writes and reads back one number of a CA's configuration, alone on this host. Returns $false when
    another was faster and wrote the same.
    .PARAMETER Key
    The path of the key.
    .PARAMETER Name
    The name of the value.
    .PARAMETER Change
    The parameters of Test-ChangeNeeded: Address, Before, After.
    .PARAMETER Arguments
    The arguments of certutil.
    #>
    param(
        [Parameter(Mandatory = $true)] [string] $Key,
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [hashtable] $Change,
        [Parameter(Mandatory = $true)] [string[]] $Arguments
    )
    $ErrorActionPreference = 'Stop'
    $mutex = Lock-CaRegistry
    try {
        if (-not (Test-ChangeNeeded @Change -Now (Get-CaRegistryValue -Key $Key -Name $Name))) { return $false }
        Invoke-WritingProgram -Program 'certutil.exe' -Arguments $Arguments
        $now = Get-CaRegistryValue -Key $Key -Name $Name
        Confirm-StateWritten -Address $Change.Address -Now $now -Wanted $Change.After
    }
    finally {
        $mutex.ReleaseMutex()
        $mutex.Dispose()
    }
}

function Lock-CaRegistry {
    <#
    .SYNOPSIS
    Waits until no other copy of these functions writes to the CA's configuration; returns the mutex, to be released.
    .PARAMETER TimeoutSeconds
    How long to wait.
    #>
    [OutputType([System.Threading.Mutex])]
    param([int] $TimeoutSeconds = 60)
    $mutex = [System.Threading.Mutex]::new($false, 'Global\remediate-ca-registry')
    try { $owned = $mutex.WaitOne(1000 * $TimeoutSeconds) }
    catch [System.Threading.AbandonedMutexException] { $owned = $true } # its owner was ended; it is ours now
    if ($owned) { return $mutex }
    $mutex.Dispose()
    $message = "Another script has been writing to the CA's configuration for $TimeoutSeconds seconds."
    throw (New-StateError -Id 'RemediateRefused' -Message $message)
}

function Get-CertutilArgument {
    <#
    .SYNOPSIS
    Gives the arguments with which certutil sets a number or deletes the value.
    .PARAMETER CertutilName
    The name that certutil knows the value by.
    .PARAMETER Name
    The name of the value in the state.
    .PARAMETER After
    The wanted state.
    #>
    [OutputType([string[]])]
    param(
        [Parameter(Mandatory = $true)] [string] $CertutilName,
        [Parameter(Mandatory = $true)] [string] $Name,
        [Parameter(Mandatory = $true)] [hashtable] $After
    )
    if (-not $After.ContainsKey($Name)) {
        throw (New-StateError -Id 'RemediateRefused' -Message "The wanted state does not name $Name.")
    }
    if ($null -eq $After[$Name]) { return @('-delreg', $CertutilName) }
    $number = [string] $After[$Name]
    if ($number -notmatch '^(0|[1-9][0-9]{0,9})$' -or $null -eq ($number -as [uint32])) {
        throw (New-StateError -Id 'RemediateRefused' -Message "'$number' is not the number of a REG_DWORD.")
    }
    if ($null -eq ($number -as [int])) { $number = Format-Code -Number ([long] $number) }
    return @('-setreg', $CertutilName, $number)
}

function Confirm-CertutilKey {
    <#
    .SYNOPSIS
    Throws when certutil would write to another key than the approved one: another CA or policy module is active now.
    .PARAMETER CertutilName
    The name that certutil knows the value by: ca\ and policy\ are known here.
    .PARAMETER Key
    The key that was approved.
    .PARAMETER Name
    The name of the value.
    #>
    param(
        [Parameter(Mandatory = $true)] [string] $CertutilName,
        [Parameter(Mandatory = $true)] [string] $Key,
        [Parameter(Mandatory = $true)] [string] $Name
    )
    $target = Get-ActiveCaKey
    if ($CertutilName -like 'policy\*') {
        $target = "$target\PolicyModules\$(Get-ActiveName -Key "$target\PolicyModules")"
    }
    elseif ($CertutilName -notlike 'ca\*') {
        throw (New-StateError -Id 'RemediateRefused' -Message "$CertutilName does not begin with ca\ or policy\.")
    }
    $written = "$target\$(($CertutilName -split '\\', 2)[1])"
    if ($written -eq "$Key\$Name") { return }
    $message = "certutil would write to $written now; approved was $Key\$Name."
    throw (New-StateError -Id 'RemediateRefused' -Message $message)
}

function Get-ActiveCaKey {
    <#
    .SYNOPSIS
    Gives the path of the key of the CA that is the one in use on this host. Without one it throws.
    #>
    [OutputType([string])]
    param()
    $root = 'HKLM:\SYSTEM\CurrentControlSet\Services\CertSvc\Configuration'
    return "$root\$(Get-ActiveName -Key $root)"
}

function Get-ActiveName {
    <#
    .SYNOPSIS
    Reads the value Active of a key: which CA, or which policy module, is the one in use. Without one it throws.
    .PARAMETER Key
    The path of the key.
    #>
    [OutputType([string])]
    param([Parameter(Mandatory = $true)] [string] $Key)
    $opened = Get-RegistryKey -Key $Key
    $name = if ($null -eq $opened) { '' } else { Get-RegistryText -OpenKey $opened -Name 'Active' }
    if ($name -ne '') { return $name }
    throw (New-StateError -Id 'RemediateRefused' -Message "$Key names no active entry; is this host the CA?")
}
