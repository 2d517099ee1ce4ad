#Requires -Version 5.1

<#
.SYNOPSIS
    Carries out an approved change of the directory, for the certificates that Intune hands out (PKCS).
.DESCRIPTION
    Where      any member of the domain contoso.test; every other domain is refused
               reads and writes at dc1.contoso.test, where the plan's facts were read
    For        Certificates that Intune hands out (PKCS) do not arrive, or will not. What was found:
               IntunePKCS builds the subject from the directory. Mended by change 2.
                  0x80094812, template IntunePKCS; remediate calls it subject_email_required
    Changes    2. publish IntunePKCS on Contoso Issuing CA
                  takes effect: after replication to the CA's domain controller; the CA reads templates again on
                     its own schedule
    Rights     write access to the enrollment service object: Enterprise Admins, or delegated on this object
    Valid      until 2026-11-30T09:12:00Z (UTC); at another time it refuses
    Plan       148a5840e63d840b6b7d5185ede5bec0637787d306363c3be003c0e6df1c543b
    Made       by remediate 0.1.0: remediate script plan.json --out FOLDER
               from facts that were read at 2026-11-23T09:12:00Z

    It reads every value before it writes one. Where something else stands than was approved, nothing is changed.
    It asks before each change. A value that is as wanted already is left as it is. After an interruption, run it
    again: it goes on where it stopped. What it does is recorded in result.json beside it; send that file back.
    To read it: '#region plan' says what is changed, '#region main', at the end, how; between them are functions.
.PARAMETER ResultPath
    The record that change.ps1 writes; without it result.json beside this script.
.PARAMETER RollbackPath
    The record that rollback.ps1 writes.
.PARAMETER Server
    The domain controller; one for reading, writing and reading back.
.PARAMETER SecureSocketLayer
    Connects by LDAPS rather than signed and sealed on port 389.
.EXAMPLE
    powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File .\change.ps1 -WhatIf
    Shows what it would write, and writes nothing.
.EXAMPLE
    powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File .\change.ps1
    Asks before each change.
.EXAMPLE
    powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -Command "$ErrorActionPreference = 'Stop'; & .\change.ps1 -Confirm:$false; exit $LASTEXITCODE"
    From cmd or a scheduled task: asks nothing.
.NOTES
    Exit codes:
    0  done, or nothing to do
    1  a value could not be read; nothing was changed
    2  with -WhatIf: there is something to do
    3  refused; nothing was changed
    4  stopped part-way, or some of it was declined: the record says where
#>
[CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
param(
    [string] $ResultPath = '',
    [string] $RollbackPath = '',
    [string] $Server = 'dc1.contoso.test',
    [switch] $SecureSocketLayer
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

#region plan: data only
$Plan = @{
    Digest = '148a5840e63d840b6b7d5185ede5bec0637787d306363c3be003c0e6df1c543b'
    Target = 'directory'
    Tool = 'remediate 0.1.0'
    ExpiresAt = '2026-11-30T09:12:00Z'
    NotBefore = ''
    NotAfter = ''
    Server = 'dc1.contoso.test'
    DomainGuid = 'd23661d2-c016-4dac-9f75-28b9518ac661'
    Steps = @(
        @{
            Id = 2
            Kind = 'publish_template'
            Label = 'publish IntunePKCS on Contoso Issuing CA'
            DependsOn = @()
            Restarts = ''
            Disruption = ''
            UndoMissing = ''
            DistinguishedName = 'CN=Contoso Issuing CA,CN=Enrollment Services,CN=Public Key Services,CN=Services,CN=Configuration,DC=contoso,DC=test'
            Template = 'IntunePKCS'
            Before = @{
                'IntunePKCS' = $null
            }
            After = @{
                'IntunePKCS' = 'published'
            }
        }
    )
}
#endregion

#region library: the same text in every script
# (the functions of scripts/lib that this script calls)
#endregion

#region main
try {
    Confirm-Engine
    $ResultPath = Get-RecordPath -Path $ResultPath -Folder $PSScriptRoot -Name 'result.json'
    $RollbackPath = Get-RecordPath -Path $RollbackPath -Folder $PSScriptRoot -Name 'rollback-result.json'
}
catch {
    Write-Warning -Message "$($_.Exception.Message) Nothing was changed."
    exit 3
}
# How each kind of step is read.
$read = {
    param($Step)
    switch ($Step['Kind']) {
        'publish_template' {
            $service = @{ Connection = $connection; DistinguishedName = $Step['DistinguishedName'] }
            Get-PublishedTemplateState @service -Template $Step['Template']
        }
    }
}
# How the right to write it is looked at beforehand.
$check = {
    param($Step)
    switch ($Step['Kind']) {
        'publish_template' {
            $service = @{ Connection = $connection; DistinguishedName = $Step['DistinguishedName'] }
            Confirm-DirectoryRight @service -Attribute @('certificateTemplates')
        }
    }
}
# How it is written. Each of these functions compares before it writes, and reads back what it wrote.
$write = {
    param($Step, $Now)
    switch ($Step['Kind']) {
        'publish_template' {
            $service = @{ Connection = $connection; DistinguishedName = $Step['DistinguishedName'] }
            $states = @{ Template = $Step['Template']; Before = $Now; After = $Step['After'] }
            $done = Set-PublishedTemplate @service @states -Confirm:$false
            if (-not $done.Written) { $false }
        }
    }
}
$connection = $null
$lock = $null
$account = Get-ReaderName
$result = New-RunResult -Kind 'change' -Plan $Plan -Account $account
try {
    # Refuses a wrong host, missing rights and a wrong time: exit 3, and nothing has been changed.
    $connection = Connect-Directory -Server $Server -SecureSocketLayer:$SecureSocketLayer
    Confirm-DirectoryIdentity -Connection $connection -DomainGuid $Plan['DomainGuid']
    Confirm-WritableDomainController -Connection $connection
    Confirm-Answer
    $lock = Lock-RunResult -Path $ResultPath
    $earlier = Read-EarlierRun -Plan $Plan -ResultPath $ResultPath -RollbackPath $RollbackPath -Result $result
    $window = @{ ExpiresAt = $Plan['ExpiresAt']; NotBefore = $Plan['NotBefore']; NotAfter = $Plan['NotAfter'] }
    Confirm-PlanTime @window -Unfinished { Get-UnfinishedText -Plan $Plan -Record $earlier['Record'] }
    # Everything is read and compared before anything is written.
    $run = @{ Steps = $Plan['Steps']; Earlier = $earlier['Record']; Keep = $earlier['Keep']; Path = $ResultPath }
    Invoke-PlanRun @run -Result $result -Cmdlet $PSCmdlet -Read $read -Check $check -Write $write
}
catch { Stop-PlanRun -Result $result -Message $_.Exception.Message }
finally {
    if ($null -ne $connection) { $connection.Dispose() }
    Close-RunResult -Result $result -Path $ResultPath
    if ($null -ne $lock) { $lock.Dispose() }
}
exit $result.exit_code
#endregion
