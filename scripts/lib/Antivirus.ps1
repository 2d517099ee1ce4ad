function Get-AntivirusFolderFact {
    <#
    .SYNOPSIS
    Lists the connector's folders that antivirus should leave alone, and whether each exists.
    #>
    return Get-Fact -Reading {
        $rows = foreach ($name in 'PfxRequest', 'CertificateRequestStatus', 'CertificateRevocationStatus') {
            $path = "$env:ProgramFiles\Microsoft Intune\$name"
            @{ path = $path; exists = ($null -ne (Get-FolderItem -Path $path)) }
        }
        return New-ListFact -Items @($rows)
    }
}

function Get-DefenderExclusionFact {
    <#
    .SYNOPSIS
    Lists the paths that Defender leaves alone; absent where Defender is not installed.
    .DESCRIPTION
    To a reader without the right to see them Defender gives a sentence that begins with N/A: in place of a path.
    #>
    return Get-Fact -Reading {
        $command = Get-Command -Name 'Get-MpPreference' -ErrorAction SilentlyContinue
        if ($null -eq $command) { return New-AbsentFact }
        $preference = Get-MpPreference -ErrorAction Stop
        $paths = @($preference.ExclusionPath | Where-Object -FilterScript { $null -ne $_ })
        if (@($paths | Where-Object -FilterScript { $_ -like 'N/A:*' }).Count -gt 0) {
            return New-UnreadableFact -Why 'Defender does not show its exclusions to this account' -Code '0x80070005'
        }
        return New-ListFact -Items ([string[]] $paths)
    }
}

function Get-DefenderStatusFact {
    <#
    .SYNOPSIS
    Reads whether Defender runs, and how; absent where it is not installed.
    #>
    return Get-Fact -Reading {
        $command = Get-Command -Name 'Get-MpComputerStatus' -ErrorAction SilentlyContinue
        if ($null -eq $command) { return New-AbsentFact }
        $status = Get-MpComputerStatus -ErrorAction Stop
        return New-ValueFact -Value @{
            running_mode         = [string] $status.AMRunningMode
            tamper_protected     = $status.IsTamperProtected
            real_time_protection = $status.RealTimeProtectionEnabled
        }
    }
}

function Get-DefenderPolicyFact {
    <#
    .SYNOPSIS
    Reads whether Group Policy sets Defender's exclusions, and whether it shuts out those of local administrators.
    #>
    return Get-Fact -Reading {
        $key = 'HKLM:\SOFTWARE\Policies\Microsoft\Windows Defender'
        $policy = Get-RegistryKey -Key $key
        $exclusions = Get-RegistryKey -Key "$key\Exclusions"
        $paths = Get-RegistryKey -Key "$key\Exclusions\Paths"
        $managed = $null -ne $paths -and $paths.GetValueNames().Count -gt 0
        if ($null -ne $exclusions -and (Get-RegistryNumber -OpenKey $exclusions -Name 'Exclusions_Paths') -ne 0) {
            $managed = $true
        }
        $disabled = $null -ne $policy -and (Get-RegistryNumber -OpenKey $policy -Name 'DisableLocalAdminMerge') -ne 0
        return New-ValueFact -Value @{ exclusions_managed = $managed; local_admin_merge_disabled = $disabled }
    }
}

function Get-ForeignAntivirusFact {
    <#
    .SYNOPSIS
    Lists the drivers that scan files for viruses, other than Defender's.
    .DESCRIPTION
    Windows servers have no Security Center to ask. A scanner's file system filter stands in a load order group.
    #>
    return Get-Fact -Reading {
        $services = 'HKLM:\SYSTEM\CurrentControlSet\Services'
        $names = foreach ($name in @(Get-RegistrySubkeyName -Key $services)) {
            $service = Get-RegistryKey -Key "$services\$name"
            if ($null -eq $service -or $name -eq 'WdFilter') { continue }
            if ((Get-RegistryText -OpenKey $service -Name 'Group') -eq 'FSFilter Anti-Virus') { $name }
        }
        return New-ListFact -Items @($names)
    }
}
